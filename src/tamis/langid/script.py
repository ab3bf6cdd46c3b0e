"""Scripts first: which languages a text can be in, whatever a model says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from tamis.langid import codes

MARK = 255
NO_SCRIPT = -1
# Kana in at least this share of the Han and kana letters make a text Japanese; a lone の in a long Chinese text does not.
KANA_SHARE = 0.02
# Below this share of Cantonese characters a Chinese text merely quotes some.
CANTONESE_SHARE = 0.015

SIMPLIFIED, TRADITIONAL, CANTONESE = 1, 2, 4

_WRITTEN_IN = {"Hans": ("Hani",), "Hant": ("Hani",), "Jpan": ("Jpan", "Hani"), "Kore": ("Hang",)}


@dataclass(frozen=True, slots=True)
class Tables:
    """What kernels look up.

    `letters`: uint8 of shape (0x110000,), 0 for no letter, `MARK` for marks, else 1 + the index in `names`.
    `evidence`: uint8 of shape (0x10000,), flags of the Han characters one written form alone uses.
    `weight`: uint8 per class, how many alphabetic letters a letter of the script counts for.
    """

    letters: npt.NDArray[np.uint8]
    evidence: npt.NDArray[np.uint8]
    weight: npt.NDArray[np.uint8]
    names: tuple[str, ...]


@cache
def tables() -> Tables:
    """Return the lookup tables, built once per process from the package's data."""
    rows = codes.read_table("letters.tsv")
    names = tuple(sorted({row["script"] for row in rows} - {"Mark"}))
    number = {name: index + 1 for index, name in enumerate(names)} | {"Mark": MARK}
    letters = np.zeros(0x110000, np.uint8)
    for row in rows:
        letters[int(row["start"], 16) : int(row["end"], 16) + 1] = number[row["script"]]
    evidence = np.zeros(0x10000, np.uint8)
    flags = {"simplified": SIMPLIFIED, "traditional": TRADITIONAL, "cantonese": CANTONESE}
    for row in codes.read_table("han.tsv"):
        for character in row["characters"]:
            evidence[ord(character)] |= flags[row["evidence"]]
    weight = np.ones(256, np.uint8)
    for name in ("Hani", "Hira", "Kana", "Hang", "Bopo", "Yiii"):
        weight[number[name]] = 3
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


def dominant(counts: npt.NDArray[np.integer]) -> tuple[str, float]:
    """Return the script that most of `counts` (letters per script, shape (len(names),)) are of, and its share.

    Kana and Han together are `Jpan` where there is kana enough; without letters it is ("", 0.0).
    """
    names = tables().names
    han, hira, kana = (names.index(name) for name in ("Hani", "Hira", "Kana"))
    total = int(counts.sum())
    if not total:
        return "", 0.0
    merged = counts.copy()
    syllables = int(counts[hira] + counts[kana])
    japanese = syllables > 0 and syllables >= KANA_SHARE * (syllables + int(counts[han]))
    if japanese:
        merged[han], merged[hira], merged[kana] = syllables + int(counts[han]), 0, 0
    best = int(merged.argmax())
    name = "Jpan" if best == han and japanese else names[best]
    return {"Hira": "Jpan", "Kana": "Jpan"}.get(name, name), int(merged[best]) / total


def chinese(code: str, simplified: int, traditional: int, cantonese: int, han: int) -> str:
    """Return the Chinese code that the characters of a text speak for, given the one a model chose.

    The counts are of characters that one written form alone uses, among `han` Han characters.
    """
    base, _, form = code.partition("_")
    if simplified != traditional:
        form = "Hans" if simplified > traditional else "Hant"
    if cantonese >= max(1, CANTONESE_SHARE * han):
        return f"yue_{form}" if form == "Hant" or simplified <= traditional else "yue_Hans"
    # A model alone cannot be trusted with Cantonese, Wu or Gan against Mandarin: their common characters are the same.
    return f"cmn_{form}" if base == "yue" and han >= 8 else f"{base}_{form}"


def undetermined(script: str) -> str:
    """Return `und_<Script>`, or plain `und` for text without letters."""
    return f"{codes.UNDETERMINED}_{script}" if script else codes.UNDETERMINED
