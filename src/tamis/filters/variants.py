"""Gopher's quality rules as Dolma, DCLM and the paper have them: English, one text at a time, definition by definition.

Where they differ (words, mean or median length, symbols, bullets, stop words): `docs/filters.md`.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from dataclasses import dataclass

import pyarrow as pa

from tamis.filters.datatrove import QUALITY
from tamis.text.words import words as all_words

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
TYPE = pa.struct([pa.field(name, pa.float64()) for name in QUALITY])
_ALPHA = re.compile(r"[^\W\d_]")  # lint: variant


@dataclass(frozen=True, slots=True)
class Variant:
    """All numbers of each text under one variant, as a struct column."""

    name: str
    stops: tuple[str, ...] = STOP_WORDS

    def __call__(self, text: pa.Array) -> pa.Array:
        """Return the numbers by the names of the rules; a ratio over nothing is 0."""
        return pa.array([self.measure(each or "") for each in text.to_pylist()], TYPE)

    def measure(self, text: str) -> dict[str, float]:
        """Return the numbers of one text."""
        found = _split(self.name, text)
        lengths = [len(word) for word in found] or [0]
        lines = text.split("\n")
        marks = _marks(self.name, text, found)
        counts = Counter(word.lower() if self.name == "dclm" else word for word in found)
        occurrences = [counts[stop] for stop in self.stops]
        length = statistics.median(lengths) if self.name == "dolma" else statistics.mean(lengths)
        stop_words = sum(map(bool, occurrences)) if self.name == "paper" else sum(occurrences)
        bullets = ("*", "-") if self.name == "dolma" else ("•", "-")
        ends = ("…",) if self.name == "dolma" else ("...", "…")
        heads = lines if self.name == "dolma" else [line.lstrip() for line in lines]
        tails = lines if self.name == "dolma" else [line.rstrip() for line in lines]
        values = (
            len(found),
            length,
            *(mark / max(len(found), 1) for mark in marks),
            sum(line.startswith(bullets) for line in heads) / len(lines),
            sum(line.endswith(ends) for line in tails) / len(lines),
            sum(_ALPHA.search(word) is not None for word in found) / max(len(found), 1),
            stop_words,
        )
        return dict(zip(QUALITY, map(float, values), strict=True))


def _split(name: str, text: str) -> list[str]:
    """DCLM leaves punctuation out; Dolma and the paper take what stands between spaces."""
    return all_words(text) if name == "dclm" else text.split()  # lint: variant


def _marks(name: str, text: str, found: list[str]) -> tuple[float, float]:
    """Dolma counts words with either symbol in one ratio; the others count each symbol in the text."""
    if name == "dolma":
        return float(sum("#" in word or "…" in word for word in found)), 0.0
    return float(text.count("#")), float(text.count("...") + text.count("…"))
