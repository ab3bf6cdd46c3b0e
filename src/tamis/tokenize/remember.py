"""What pre-tokens became, remembered in two tables of fixed size: they overwrite, so they never grow.

Whole pre-tokens are compared, so what the tables hold never changes an id. A line of cache answers each question.
`short` keeps pre-tokens of up to 15 bytes that give up to 6 ids, two to a line, the later first: two words of key, with
the size and the number of ids in the last byte, then six ids of 21 bits. `wide` keeps up to 31 bytes and 11 ids, one to
a line: four words of key, then a count and eleven ids; an entry pushes the one before it to the neighbouring line.

No kernel here checks bounds: lines are found under a mask of the tables' lengths.
"""

from __future__ import annotations

import numpy as np

from tamis.tokenize.merge import MAX_IDS, Ids32, Slots
from tamis.tokenize.split import Bytes
from tamis.tokenize.unchecked import Words, inlined, unchecked

SHORT_BYTES, SHORT_IDS = 15, 6
WIDE_BYTES, WIDE_IDS = 31, 11
SHORT_LINES, WIDE_LINES = 1 << 19, 1 << 17  # 32 and 8 MiB
COUNT_AT = 60  # of the second word of a short key
KEY_BITS = np.int64((1 << COUNT_AT) - 1)
ROOM = 8  # ids are written several at once, the last perhaps for nothing


def masks() -> Slots:
    """Return what is kept of the four words from a place on, by size, shape (WIDE_BYTES + 1, 4)."""
    kept = np.arange(32) < np.arange(WIDE_BYTES + 1)[:, None]
    return np.where(kept, 0xFF, 0).astype(np.uint8).view("<i8")


@unchecked
def packed(data: Bytes, start: int, end: int) -> int:
    """Return up to eight bytes as one little-endian word."""
    word = np.int64(0)
    for place in range(start, min(end, start + 8)):
        word |= np.int64(data[place]) << 8 * (place - start)
    return int(word)


@unchecked
def short_key(data: Bytes, at: int, size: int) -> tuple[int, int]:
    """Return the bytes of a pre-token of at most SHORT_BYTES as two words, its size in the last byte."""
    return packed(data, at, at + size), packed(data, at + 8, at + size) | size << 56


@inlined
def short_line(a: int, b: int, short: Slots) -> int:
    """Return where the line of a short key starts; unsigned, for signed overflow is undefined to the compiler."""
    mixed = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ mixed >> np.uint64(32)) * np.uint64(0x94D049BB133111EB)
    return int(np.int64(mixed >> np.uint64(32) & np.uint64((len(short) >> 3) - 1))) << 3


@unchecked
def keep_short(short: Slots, line: int, a: int, b: int, ids: Ids32, count: int) -> None:
    """Remember a short pre-token at its line; `count` is at most SHORT_IDS."""
    for word in range(4):
        short[line + 4 + word] = short[line + word]
    short[line], short[line + 1] = a, b | np.int64(count) << COUNT_AT
    for half in range(2):
        fields = np.int64(0)
        for place in range(3 * half, min(count, 3 * half + 3)):
            fields |= np.int64(ids[place]) << 21 * (place - 3 * half)
        short[line + 2 + half] = fields


@inlined
def wide_key(data: Bytes, words: Words, masks: Slots, at: int, size: int) -> tuple[int, int, int, int]:
    """Return the bytes of a pre-token of at most WIDE_BYTES as four words, its size in the last byte."""
    if at + 32 > len(data):
        end = at + size
        a, b = packed(data, at, end), packed(data, at + 8, end)
        c, d = packed(data, at + 16, end), packed(data, at + 24, end)
    else:
        a, b = words[at] & masks[size, 0], words[at + 8] & masks[size, 1]
        c, d = words[at + 16] & masks[size, 2], words[at + 24] & masks[size, 3]
    return a, b, c, d | size << 56


@inlined
def wide_line(a: int, b: int, c: int, d: int, wide: Slots) -> int:
    """Return where the line of a wide key starts."""
    mixed = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xBF58476D1CE4E5B9)
    mixed += np.uint64(c) * np.uint64(0x94D049BB133111EB) + np.uint64(d) * np.uint64(0x2545F4914F6CDD1D)
    mixed ^= mixed >> np.uint64(32)
    return int(np.int64((mixed ^ mixed >> np.uint64(15)) & np.uint64((len(wide) >> 3) - 1))) << 3


@inlined
def find_wide(wide: Slots, line: int, a: int, b: int, c: int, d: int) -> int:
    """Return where the line that holds this key starts, the first or its neighbour, or -1."""
    for _ in range(2):
        if wide[line] == a and wide[line + 1] == b and wide[line + 2] == c and wide[line + 3] == d:
            return line
        line ^= 8
    return -1


@inlined
def give_wide(wide: Slots, line: int, out: Ids32, total: int) -> int:
    """Write the ids of a line to `out` and return how many, or only return it where `out` is empty."""
    count = wide[line + 4] & (MAX_IDS - 1)
    if len(out) > 0:
        for field in range(1, count + 1):
            out[total + field - 1] = wide[line + 4 + field // 3] >> 21 * (field % 3) & (MAX_IDS - 1)
    return int(count)


@unchecked
def keep_wide(wide: Slots, line: int, a: int, b: int, c: int, d: int, ids: Ids32, count: int) -> None:
    """Remember a pre-token at its line; `count` is at most WIDE_IDS."""
    for word in range(8):
        wide[(line ^ 8) + word] = wide[line + word]
        wide[line + word] = 0
    wide[line], wide[line + 1], wide[line + 2], wide[line + 3] = a, b, c, d
    wide[line + 4] = count
    for field in range(1, count + 1):
        wide[line + 4 + field // 3] |= np.int64(ids[field - 1]) << 21 * (field % 3)
