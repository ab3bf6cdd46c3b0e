"""Scripts first: which languages a text can be in, whatever a model says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.langid import codes
from tamis.text import unicode
from tamis.text.kernel import kernel

MARK = 255
NO_SCRIPT = -1
# Kana in at least this share of Han and kana letters make a text Japanese; a lone の in a long Chinese text does not.
KANA_SHARE = 0.02
# Below this share of Cantonese characters a Chinese text merely quotes some.
CANTONESE_SHARE = 0.015

SIMPLIFIED, TRADITIONAL, CANTONESE, NOT_JAPANESE = range(4)
# Above this share of characters that Japanese standards lack, a text in Han characters alone is not Japanese.
FOREIGN_SHARE = 0.02

_WRITTEN_IN = {"Hans": ("Hani",), "Hant": ("Hani",), "Jpan": ("Jpan", "Hani"), "Kore": ("Hang",)}


@dataclass(frozen=True, slots=True)
class Tables:
    """What kernels look up.

    `letters`: uint8 of shape (0x110000,), 0 for no letter, `MARK` for marks, else 1 + the index in `names`.
    `evidence`: uint8 of shape (0x10000,), bits (`SIMPLIFIED` …) of the Han characters that speak for a written form.
    `weight`: uint8 per class, how many alphabetic letters a letter of the script counts for.
    """

    letters: npt.NDArray[np.uint8]
    evidence: npt.NDArray[np.uint8]
    weight: npt.NDArray[np.uint8]
    names: tuple[str, ...]


@cache
def tables() -> Tables:
    """Return the lookup tables, built once per process from the package's data."""
    words = unicode.table()
    points = np.arange(0x110000)
    word = words[words[points >> 8].astype(np.int64) + (points & 255)]
    kind, own = word & unicode.CLASS_MASK, (word >> unicode.SCRIPT_SHIFT) & unicode.SCRIPT_MASK
    # Letters that any script may use count as marks: they join a word and say nothing of its script.
    shared = [index for index, name in enumerate(unicode.scripts()) if name in ("Zyyy", "Zinh", "Zzzz")]
    letter = (kind == unicode.LETTER) & ~np.isin(own, shared)
    names = tuple(sorted(unicode.scripts()[index] for index in np.unique(own[letter])))
    number = {name: index + 1 for index, name in enumerate(names)}
    numbers = np.array([number.get(name, 0) for name in unicode.scripts()], np.uint8)
    letters = np.where(letter, numbers[own], 0).astype(np.uint8)
    letters[(kind == unicode.MARK) | ((kind == unicode.LETTER) & ~letter)] = MARK
    # The long vowel mark is kana to every reader, though Unicode lets two scripts share it.
    letters[[0x30FC, 0xFF70]] = number["Kana"]
    evidence = np.zeros(0x10000, np.uint8)
    flags = {"simplified": SIMPLIFIED, "traditional": TRADITIONAL, "cantonese": CANTONESE}
    for row in codes.read_table("han.tsv"):
        for character in row["characters"]:
            evidence[ord(character)] |= 1 << flags[row["evidence"]]
    for point in range(0x4E00, 0xA000):
        evidence[point] |= (not chr(point).encode("shift_jis", "ignore")) << NOT_JAPANESE
    weight = np.ones(256, np.uint8)
    # In sixteenths of a Latin letter; a whole number keeps counts whole.
    worth = (word >> unicode.WORTH_SHIFT).astype(np.int64)
    for index in number.values():
        weight[index] = max(1, (int(worth[letters == index].max()) + unicode.LETTER_WORTH // 2) // unicode.LETTER_WORTH)
    # Trailing jamo are part of the syllable that the leading one counts for, composed or not.
    letters[0x1160:0x1200] = MARK
    return Tables(letters, evidence, weight, names)


def candidates(labels: Mapping[str, Iterable[str]]) -> dict[str, dict[str, str]]:
    """Return, for each script, the labels that text in it may get, with the code each stands for there.

    `labels` maps a model's labels to the codes each can stand for. Text in kana and kanji has the pseudo-script
    `Jpan`, which admits Japanese alone; text in Han characters alone admits Japanese and every Chinese language.
    """
    table: dict[str, dict[str, str]] = {}
    for label, found in labels.items():
        for code in found:
            own = codes.script_of(code)
            for script in ("Latn",) if codes.language_of(code) == codes.NOT_LANGUAGE else _WRITTEN_IN.get(own, (own,)):
                table.setdefault(script, {}).setdefault(label, code)
    return table


def dominant(
    counts: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the script most letters of each row are of, and its share of them.

    `counts` has shape (n, scripts); the scripts are indices into `names()`, `NO_SCRIPT` for a row without letters.
    Kana and Han together are `Jpan` where there is kana enough.
    """
    listed = tables().names
    han, hira, kana = (listed.index(name) for name in ("Hani", "Hira", "Kana"))
    best, share = _dominant(counts, han, hira, kana)
    return best, share


def han_characters(counts: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return how many Han characters each row of weighted letter counts stands for."""
    place = tables().names.index("Hani")
    return counts[:, place] // np.int32(tables().weight[place + 1])


def names() -> tuple[str, ...]:
    """Return the script names `dominant` indexes; index `NO_SCRIPT` is the empty name of letterless text."""
    return (*tables().names, "Jpan", "")


@kernel
def _dominant(counts: Any, han: int, hira: int, kana: int) -> Any:
    rows, scripts = counts.shape
    best = np.full(rows, NO_SCRIPT, np.int64)
    share = np.zeros(rows)
    for row in range(rows):
        syllables = counts[row, hira] + counts[row, kana]
        japanese = syllables > 0 and syllables >= KANA_SHARE * (syllables + counts[row, han])
        total = most = 0
        for index in range(scripts):
            count = counts[row, index]
            total += count
            if japanese and index in (han, hira, kana):
                count = 0
            if count > most:
                most, best[row] = count, index
        if japanese and syllables + counts[row, han] >= most:
            most, best[row] = syllables + counts[row, han], scripts
        if total:
            share[row] = most / total
    return best, share


def chinese(base: str, form: str, evidence: npt.NDArray[np.int32], han: int) -> str:
    """Return the Chinese code that the characters of a text speak for, given the language and form a model chose.

    `evidence` counts the characters that simplified, traditional and Cantonese writing alone use, among `han` Han
    characters. Where neither form shows, the model's stands.
    """
    simplified, traditional, colloquial = (int(count) for count in evidence[:NOT_JAPANESE])
    if simplified != traditional:
        form = "Hans" if simplified > traditional else "Hant"
    if colloquial >= max(1, CANTONESE_SHARE * han):
        return f"yue_{form}"
    # A model alone cannot be trusted with Cantonese against Mandarin: their common characters are the same.
    return f"cmn_{form}" if base == "yue" and han >= 8 else f"{base}_{form}"


def undetermined(script: str) -> str:
    """Return `und_<Script>`, or plain `und` for text without letters."""
    return f"{codes.UNDETERMINED}_{script}" if script else codes.UNDETERMINED
