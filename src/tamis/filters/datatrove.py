"""The variant "datatrove": the definitions of datatrove 0.10's filter blocks (Apache-2.0), one text at a time.

Slow on purpose: each function says plainly what the block of its name does, so that it can be compared with it line by
line. Values are given for every rule, where the block stops at the first that fails.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import text_buffers
from tamis.filters.signal import Signal
from tamis.text import unicode as u
from tamis.text.words import words as own_words

Words = Callable[[str], list[str]]

QUALITY = (
    "word_count",
    "mean_word_letters",
    "hash_word_ratio",
    "ellipsis_word_ratio",
    "bullet_line_share",
    "ellipsis_line_share",
    "lettered_word_share",
    "stop_word_count",
)
REPETITION = (
    "char_count",
    "repeated_paragraph_share",
    "repeated_paragraph_char_share",
    "repeated_line_share",
    "repeated_line_char_share",
    *(f"top_{length}_gram_char_share" for length in (2, 3, 4)),
    *(f"repeated_{length}_gram_char_share" for length in range(5, 11)),
)
FINEWEB = ("line_count", "ended_line_share", "short_line_share", "repeated_line_char_share", "line_break_word_ratio")

_PARAGRAPH_BREAK = re.compile(r"\n{2,}")
_LINE_BREAK = re.compile(r"\n+")


@dataclass(frozen=True, slots=True)
class Quality:
    """`GopherQualityFilter`: the values of QUALITY, shape (8,)."""

    words: Words | None
    stop_words: frozenset[str]

    def __call__(self, text: pa.Array) -> pa.Array:
        """Return the values of each text as a binary column."""
        return rows(text, self.values, len(QUALITY))

    def values(self, text: str) -> list[float]:
        """Return the values of one text."""
        words = split(self.words, text)
        plain = [word for word in words if any(not has(c, u.DT_PUNCTUATION) for c in word)]
        lines = text.splitlines()
        starts, ends = [line.lstrip() for line in lines], [line.rstrip() for line in lines]
        return [
            len(plain),
            ratio(sum(map(len, plain)), len(plain)),
            ratio(text.count("#"), len(words)),
            ratio(text.count("...") + text.count("…"), len(words)),
            ratio(sum(line.startswith(("•", "-")) for line in starts), len(lines)),
            ratio(sum(line.endswith(("...", "…")) for line in ends), len(lines)),
            ratio(sum(any(kind(c) == u.LETTER for c in word) for word in words), len(words)),
            len(self.stop_words.intersection(words)),
        ]


@dataclass(frozen=True, slots=True)
class Repetition:
    """`GopherRepetitionFilter`: the values of REPETITION, shape (14,)."""

    words: Words | None

    def __call__(self, text: pa.Array) -> pa.Array:
        """Return the values of each text as a binary column."""
        return rows(text, self.values, len(REPETITION))

    def values(self, text: str) -> list[float]:
        """Return the values of one text."""
        paragraphs, lines = _PARAGRAPH_BREAK.split(text.strip()), _LINE_BREAK.split(text)
        words = split(self.words, text)
        same_paragraphs, paragraph_chars = repeated(paragraphs)
        same_lines, line_chars = repeated(lines)
        size = len(text)
        return [
            size,
            ratio(same_paragraphs, len(paragraphs)),
            ratio(paragraph_chars, size),
            ratio(same_lines, len(lines)),
            ratio(line_chars, size),
            *(ratio(top_gram(words, length), size) for length in (2, 3, 4)),
            *(ratio(repeated_grams(words, length), size) for length in range(5, 11)),
        ]


@dataclass(frozen=True, slots=True)
class FineWeb:
    """`FineWebQualityFilter`: the values of FINEWEB, shape (5,)."""

    words: Words | None
    short_chars: float

    def __call__(self, text: pa.Array) -> pa.Array:
        """Return the values of each text as a binary column."""
        return rows(text, self.values, len(FINEWEB))

    def values(self, text: str) -> list[float]:
        """Return the values of one text."""
        lines = [line for line in text.split("\n") if line.strip() != ""]
        return [
            len(lines),
            ratio(sum(has(line[-1], u.DT_STOP) for line in lines), len(lines)),
            ratio(sum(len(line) <= self.short_chars for line in lines), len(lines)),
            ratio(repeated(lines)[1], len(text.replace("\n", ""))),
            ratio(text.count("\n"), len(split(self.words, text))),
        ]


@dataclass(frozen=True, slots=True)
class Pick:
    """One of the named values of a binary column."""

    names: tuple[str, ...]
    name: str

    def __call__(self, values: pa.Array) -> npt.NDArray[np.float64]:
        """Return that value of each row."""
        offsets, data = text_buffers(values)
        matrix = data[int(offsets[0]) : int(offsets[-1])].view(np.float64).reshape(-1, len(self.names))
        return matrix[:, self.names.index(self.name)]


def pick(base: Signal, names: tuple[str, ...], name: str) -> Signal:
    """Return the signal of one named value of `base`."""
    return Signal(name, (base,), Pick(names, name))


def rows(texts: pa.Array, values: Callable[[str], Sequence[float]], width: int) -> pa.Array:
    """Return the values of each text, a null read as empty, as one binary value for each row."""
    matrix = np.array([values(text or "") for text in texts.to_pylist()], np.float64).reshape(len(texts), width)
    offsets = np.arange(len(texts) + 1, dtype=np.int64) * width * 8
    return pa.Array.from_buffers(pa.large_binary(), len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(matrix)])


def split(words: Words | None, text: str) -> list[str]:
    """Return the words of a text, by the tokenizer handed in or by our own."""
    return (words or own_words)(text)


def ratio(over: float, under: float) -> float:
    """Return a quotient, NaN where there is nothing to divide by (there the block raises)."""
    return over / under if under else float("nan")


def has(character: str, flag: int) -> bool:
    """Say whether a character has a flag of the Unicode tables."""
    return bool(u.properties(character) & flag)


def kind(character: str) -> int:
    """Return the class of a character."""
    return u.properties(character) & u.CLASS_MASK


def repeated(parts: Sequence[str]) -> tuple[int, int]:
    """Return the number and characters of the parts that stood before."""
    seen: set[str] = set()
    again = [part for part in parts if part in seen or seen.add(part)]  # type: ignore[func-returns-value]
    return len(again), sum(map(len, again))


def top_gram(words: list[str], length: int) -> int:
    """Return the characters of the most frequent n-gram, joined by spaces, times its frequency; the first of equals."""
    grams = [" ".join(words[place : place + length]) for place in range(len(words) - length + 1)]
    if not grams:
        return 0
    gram, count = Counter(grams).most_common(1)[0]
    return len(gram) * count


def repeated_grams(words: list[str], length: int) -> int:
    """Return the characters of n-grams that stood before, searching on behind each."""
    seen: set[str] = set()
    chars = place = 0
    while place <= len(words) - length:
        gram = "".join(words[place : place + length])
        chars += len(gram) if gram in seen else 0
        place += length if gram in seen else 1
        seen.add(gram)
    return chars
