"""Graphemes: what a reader sees as one character, counted in one walk over UTF-8.

The extended grapheme clusters of UAX #29, with our classes for its properties: marks, joiners and format signs extend
what stands before them, a sign after a zero-width joiner goes with it, regional indicators pair, CRLF is one, Hangul
letters join to syllables. Left out: prepended marks, and the conjunct rule of Indic scripts (GB9c), so a Devanagari
cluster with a virama counts as its consonants do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text, text_buffers
from tamis.text import unicode as u
from tamis.text.inline import inlined
from tamis.text.kernel import kernel

_CLASS, _MARK, _BREAK, _CONTROL = u.CLASS_MASK, u.MARK, u.BREAK, u.CONTROL
_decode, _look_up = u.decode, u.look_up
_JOINER, _NON_JOINER = 0x200D, 0x200C


def grapheme_counts(texts: Sequence[str | None] | pa.Array) -> npt.NDArray[np.int64]:
    """Return the graphemes of each text, shape (n,); a null text has none."""
    offsets, data = text_buffers(as_text(texts))
    counts = np.zeros(len(offsets) - 1, np.int64)
    _count(offsets, data, u.table(), counts)
    return counts


@inlined
def _hangul(point: Any) -> Any:
    """Return 1 for leading consonants, 2 vowels, 3 trailing consonants, 4 open syllables, 5 closed ones, else 0."""
    if 0x1100 <= point <= 0x115F or 0xA960 <= point <= 0xA97C:
        return 1
    if 0x1160 <= point <= 0x11A7 or 0xD7B0 <= point <= 0xD7C6:
        return 2
    if 0x11A8 <= point <= 0x11FF or 0xD7CB <= point <= 0xD7FB:
        return 3
    if 0xAC00 <= point <= 0xD7A3:
        return 4 if (point - 0xAC00) % 28 == 0 else 5
    return 0


@kernel
def _count(offsets: Any, data: Any, table: Any, counts: Any) -> None:
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        before, flags, found, fresh = np.int64(0), 0, 0, True
        while at < end:
            point, at = _decode(data, at, end)
            kind = _look_up(table, point) & _CLASS
            flag = 0x1F1E6 <= point <= 0x1F1FF
            extends = kind == _MARK or point in (_JOINER, _NON_JOINER) or 0x1F3FB <= point <= 0x1F3FF
            part, last = _hangul(point), _hangul(before)
            joins = extends and before not in (0x0A, 0x0D)
            joins = joins or (before == 0x0D and point == 0x0A)
            joins = joins or (before == _JOINER and point >= 0x2190 and kind != _BREAK and part == 0 and not flag)
            joins = joins or (flag and flags % 2 == 1)
            joins = joins or (last == 1 and part in (1, 2, 4, 5))
            joins = joins or (last in (2, 4) and part in (2, 3)) or (last in (3, 5) and part == 3)
            found += fresh or not joins
            flags = flags + 1 if flag else 0
            before, fresh = point, False
        counts[row] = found
