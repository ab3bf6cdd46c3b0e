"""Marks: a set of documents as a bit for each row of each unit, which also numbers its members in their order.

An eighth of a byte for each document there is, and half a bit to count by, where a sorted list would take eight bytes
for each member and twenty steps to find one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.dedup.documents import Docs
from tamis.text.kernel import kernel

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]

_1, _6, _32, _63 = np.uint64(1), np.uint64(6), np.uint64(32), np.uint64(63)
_ROW = np.uint64(0xFFFFFFFF)
# Bits counted in pairs, in fours, in eights, and summed into the highest byte (Warren, *Hacker's Delight*, 5-1).
_PAIRS, _FOURS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_EIGHTS, _SUM = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


@kernel
def _count(word: Any) -> Any:
    word = word - ((word >> _1) & _PAIRS)
    word = (word & _FOURS) + ((word >> np.uint64(2)) & _FOURS)
    return (((word + (word >> np.uint64(4))) & _EIGHTS) * _SUM) >> np.uint64(56)


@kernel
def _needs(docs: Docs, needed: Numbers) -> None:
    """Raise needed[unit] to the words that the unit's rows reach."""
    for doc in docs:
        unit, words = np.int64(doc >> _32), np.int64((doc & _ROW) >> _6) + 1
        if words > needed[unit]:
            needed[unit] = words


@kernel
def _set(docs: Docs, starts: Numbers, words: Words) -> bool:
    """Mark documents; return False where there is no room for one of them."""
    for doc in docs:
        unit, row = np.int64(doc >> _32), doc & _ROW
        if unit + 1 >= len(starts):
            return False
        at = starts[unit] + np.int64(row >> _6)
        if at >= starts[unit + 1]:
            return False
        words[at] |= _1 << (row & _63)
    return True


@kernel
def _clear(docs: Docs, starts: Numbers, words: Words) -> None:
    for doc in docs:
        unit, row = np.int64(doc >> _32), doc & _ROW
        if unit + 1 < len(starts):
            at = starts[unit] + np.int64(row >> _6)
            if at < starts[unit + 1]:
                words[at] &= ~(_1 << (row & _63))


@kernel
def _move(old_starts: Numbers, old: Words, starts: Numbers, words: Words) -> None:
    for unit in range(len(old_starts) - 1):
        size = old_starts[unit + 1] - old_starts[unit]
        words[starts[unit] : starts[unit] + size] = old[old_starts[unit] : old_starts[unit + 1]]


@kernel
def _accumulate(words: Words, before: npt.NDArray[np.uint32]) -> int:
    total = np.uint64(0)
    for at in range(len(words)):
        before[at] = total
        total += _count(words[at])
    return int(total)


@kernel
def _list(starts: Numbers, words: Words, docs: Docs) -> None:
    to = 0
    for unit in range(len(starts) - 1):
        for at in range(starts[unit], starts[unit + 1]):
            for bit in range(64 if words[at] else 0):
                if words[at] >> np.uint64(bit) & _1:
                    docs[to] = np.uint64(unit) << _32 | np.uint64((at - starts[unit]) * 64 + bit)
                    to += 1


@kernel
def place(doc: Any, starts: Numbers, words: Words, before: npt.NDArray[np.uint32]) -> Any:
    """Return how many members come before this one, or -1 where the document is no member."""
    unit, row = np.int64(doc >> _32), doc & _ROW
    if unit + 1 >= len(starts):
        return np.int64(-1)
    at = starts[unit] + np.int64(row >> _6)
    if at >= starts[unit + 1]:
        return np.int64(-1)
    bit = _1 << (row & _63)
    if not words[at] & bit:
        return np.int64(-1)
    return np.int64(before[at]) + np.int64(_count(words[at] & (bit - _1)))


@kernel
def _places(docs: Docs, starts: Numbers, words: Words, before: npt.NDArray[np.uint32], out: Numbers) -> None:
    for i in range(len(docs)):
        out[i] = place(docs[i], starts, words, before)


class Marks:
    """A growing set of documents; `close` it before `places` are asked for."""

    def __init__(self) -> None:
        self.starts = np.zeros(1, np.int64)
        self.words = np.zeros(0, np.uint64)
        self.before = np.zeros(0, np.uint32)
        self.count = 0

    def add(self, docs: Docs) -> None:
        """Add documents, in any order."""
        if not _set(docs, self.starts, self.words):
            self._grow(docs)
            _set(docs, self.starts, self.words)

    def remove(self, docs: Docs) -> None:
        """Remove documents that may be members."""
        _clear(docs, self.starts, self.words)

    def close(self) -> None:
        """Number the members. Raises ValueError above 2^32 of them."""
        self.before = np.zeros(len(self.words), np.uint32)
        self.count = _accumulate(self.words, self.before)
        if self.count > np.iinfo(np.uint32).max:
            raise ValueError(f"{self.count} documents share buckets; one pass of components holds 2^32 at most")

    def docs(self) -> Docs:
        """Return the members, sorted, uint64."""
        docs = np.empty(self.count, np.uint64)
        _list(self.starts, self.words, docs)
        return docs

    def places(self, docs: Docs) -> Numbers:
        """Return each document's place among the members, -1 for others; shape (n,), int64."""
        out = np.empty(len(docs), np.int64)
        _places(docs, self.starts, self.words, self.before, out)
        return out

    def _grow(self, docs: Docs) -> None:
        held = np.diff(self.starts)
        needed = np.zeros(max(int(docs.max() >> _32) + 1, len(held)), np.int64)
        _needs(docs, needed)
        held = np.pad(held, (0, len(needed) - len(held)))
        # Twice what is needed where more is needed at all: a unit is moved few times only.
        starts = np.concatenate([[0], np.cumsum(np.where(needed > held, 2 * needed, held))])
        words = np.zeros(int(starts[-1]), np.uint64)
        _move(self.starts, self.words, starts, words)
        self.starts, self.words = starts, words
