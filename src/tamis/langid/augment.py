"""Training text made more like web text: lower case, cut-off starts, lost diacritics, short strings, boilerplate."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Protocol

import numpy as np

# Scripts whose letters carry diacritics that people leave out when they type; elsewhere marks are letters' other half.
_STRIPPABLE = ("Latn", "Grek", "Arab", "Hebr")


class Balance(Protocol):
    """The options `balanced` reads: at most `cap` texts of a language, at least `floor` where `repeat` allows."""

    @property
    def cap(self) -> int:
        """Most texts of one language."""

    @property
    def floor(self) -> int:
        """Fewest examples of one language."""

    @property
    def repeat(self) -> int:
        """Most times an example is repeated to get there."""


def composed(text: str) -> str:
    """Return the text in NFC, on one line, as every model sees it."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def balanced(
    code: str, texts: Sequence[str], training: Balance, random: np.random.Generator
) -> Iterator[tuple[str, str]]:
    """Yield (code, text) examples: every chosen text once as it is and once changed, more where a language has few."""
    chosen = list(texts)
    if len(chosen) > training.cap:
        chosen = [chosen[index] for index in sorted(random.permutation(len(chosen))[: training.cap])]
    for text in chosen:
        yield code, text
    extra = max(len(chosen), min(training.floor, training.repeat * len(chosen)) - len(chosen))
    for index in range(extra):
        yield code, changed(code, chosen, index % len(chosen), random)


def changed(code: str, texts: Sequence[str], index: int, random: np.random.Generator) -> str:
    """Return one text changed at random in one of the ways the web changes text; a text that would vanish stays."""
    text = texts[index]
    kind = random.random()
    if kind < 0.3:
        result = _piece(text, random)
    elif kind < 0.45:
        result = _piece(text, random).lower()
    elif kind < 0.55:
        result = text.lower()
    elif kind < 0.59:
        result = text.upper()
    elif kind < 0.65:
        # Titles, products and menus.
        result = _piece(text, random).title()
    elif kind < 0.73:
        result = text[int(random.integers(1, 1 + max(1, len(text) // 2))) :]
    elif kind < 0.80 and code[-4:] in _STRIPPABLE:
        result = bare(text)
    elif kind < 0.91:
        result = f"{text} {texts[int(random.integers(len(texts)))]}"
    else:
        result = _framed(text, random)
    return result if result.strip() else text


def bare(text: str) -> str:
    """Return the text without its combining marks."""
    return unicodedata.normalize("NFC", "".join(c for c in unicodedata.normalize("NFD", text) if not _is_mark(c)))


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) == "Mn"


def _piece(text: str, random: np.random.Generator) -> str:
    """A few words in a row, or as many characters where there are no spaces."""
    words = text.split()
    if len(words) >= 3:
        size = int(random.integers(1, 6))
        start = int(random.integers(0, max(1, len(words) - size)))
        return " ".join(words[start : start + size])
    size = int(random.integers(3, 20))
    start = int(random.integers(0, max(1, len(text) - size)))
    return text[start : start + size]


def _framed(text: str, random: np.random.Generator) -> str:
    """The text with web boilerplate before or after it: English mostly, as on the web, so that it does not decide."""
    phrases = _boilerplate()
    phrase = phrases[int(random.integers(len(phrases)))]
    return f"{phrase} {text}" if random.random() < 0.5 else f"{text} {phrase}"


@cache
def _boilerplate() -> tuple[str, ...]:
    text = files("tamis.langid").joinpath("data", "boilerplate.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.split("\n") if line and not line.startswith("#"))
