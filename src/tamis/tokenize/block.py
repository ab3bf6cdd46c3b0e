"""Looking up a block of pre-tokens: ask for all lines of the tables, then read them; merge the unknown together.

No kernel here checks bounds: `found` is at most the length of the arrays, which is AHEAD; ends ascend within the data;
a line is found under a mask of their number.
"""

from __future__ import annotations

import numpy as np

from tamis.tokenize.merge import Ids32, Slots
from tamis.tokenize.remember import (
    KEY_BITS,
    SHORT_BYTES,
    SHORT_IDS,
    WIDE_BYTES,
    WIDE_IDS,
    find_wide,
    keep_short,
    keep_wide,
    short_key,
    short_line,
    wide_key,
    wide_line,
)  # fmt: skip
from tamis.tokenize.split import Bytes
from tamis.tokenize.together import ROW, WORDS, merge_together
from tamis.tokenize.unchecked import Words, prefetch, unchecked
from tamis.tokenize.vocabulary import find_token

# Pre-tokens of a block: enough that lines arrive before they are read, few enough that those stay in the first cache.
AHEAD = 256
MOST_BYTES = (1 << 62) - 1  # a mask that tells the compiler that a place is not negative


@unchecked
def ask(
    data: Bytes, words: Words, masks: Slots, start: int, ends: Slots, found: int, short: Slots, wide: Slots,
    keys: Slots, lines: Slots,
) -> None:  # fmt: skip
    """Write the keys of pre-tokens and the lines that may know them, and ask for those lines."""
    for place in range(found):
        size = ends[place] - start
        if size <= SHORT_BYTES:
            if start + 16 > len(data):
                a, b = short_key(data, start, size)
            else:  # no branches: sizes are not foreseen
                a, b = words[start & MOST_BYTES] & masks[size, 0], words[(start & MOST_BYTES) + 8] & masks[size, 1]
                b |= size << 56
            keys[place, 0], keys[place, 1] = a, b
            line = short_line(a, b, short)
            lines[place] = line
            prefetch(short, line)
        elif size <= WIDE_BYTES:
            a, b, c, d = wide_key(data, words, masks, start, size)
            line = wide_line(a, b, c, d, wide)
            lines[place] = line
            prefetch(wide, line)
            prefetch(wide, line ^ 8)
        start = ends[place]


@unchecked
def find(
    data: Bytes, words: Words, masks: Slots, start: int, ends: Slots, found: int, short: Slots, wide: Slots,
    keys: Slots, lines: Slots, asked: Slots,
) -> int:  # fmt: skip
    """Write to `lines` where pre-tokens are known: 2 * place in `short`, 2 * place + 1 in `wide`, else -1 - number.

    Returns how many are not known; `asked` gets the place, start and size of each.
    """
    unsure = 0
    for place in range(found):
        size = ends[place] - start
        a, b, line = keys[place, 0], keys[place, 1], lines[place]
        if size <= SHORT_BYTES:
            if (short[line] ^ a) | ((short[line + 1] ^ b) & KEY_BITS) != 0:
                line += 4
            if (short[line] ^ a) | ((short[line + 1] ^ b) & KEY_BITS) == 0:
                lines[place] = 2 * line
                start = ends[place]
                continue
            a, b, c, d = wide_key(data, words, masks, start, size)
            line = np.int64(wide_line(a, b, c, d, wide))
            prefetch(wide, int(line))
            prefetch(wide, int(line) ^ 8)
        asked[0, unsure], asked[1, unsure], asked[2, unsure], asked[3, unsure] = place, start, size, line
        unsure += 1
        start = ends[place]
    unknown = 0
    for each in range(unsure):
        place, at, size, line = asked[0, each], asked[1, each], asked[2, each], asked[3, each]
        known = -1
        if size <= WIDE_BYTES:
            a, b, c, d = wide_key(data, words, masks, at, size)
            known = find_wide(wide, line, a, b, c, d)
        if known >= 0:
            lines[place] = 2 * known + 1
        else:
            lines[place] = -1 - unknown
            asked[0, unknown], asked[1, unknown], asked[2, unknown], asked[3, unknown] = place, at, size, line
            unknown += 1
    return unknown


@unchecked
def keep(
    data: Bytes, words: Words, masks: Slots, asked: Slots, unknown: int, short: Slots, wide: Slots, keys: Slots,
    made: Ids32, counts: Slots,
) -> None:  # fmt: skip
    """Remember what pre-tokens became that were not known."""
    for each in range(unknown):
        place, size, count = asked[0, each], asked[2, each], counts[each]
        if size <= SHORT_BYTES and count <= SHORT_IDS:
            a, b = keys[place, 0], keys[place, 1]
            keep_short(short, short_line(a, b, short), a, b, made[each * ROW : each * ROW + ROW], count)
        elif size <= WIDE_BYTES and count <= WIDE_IDS:
            a, b, c, d = wide_key(data, words, masks, asked[1, each], size)
            keep_wide(wide, asked[3, each], a, b, c, d, made[each * ROW : each * ROW + ROW], count)


@unchecked
def spell_together(
    data: Bytes, asked: Slots, unknown: int, made: Ids32, counts: Slots, letters: Ids32, first: Ids32, pairs: Slots,
    merged: Ids32, ids: Ids32, spelt: Bytes, offsets: Slots, whole: Slots,
) -> None:  # fmt: skip
    """Write the ids of pre-tokens that were not known to the rows of `made`, and how many to `counts`.

    Those of more than WIDE_BYTES are left out.
    """
    sizes, tokens = np.empty(WORDS, np.int64), np.empty(WORDS, np.int64)
    for front in range(0, unknown, WORDS):
        count = min(WORDS, unknown - front)
        for each in range(count):
            at, size, tokens[each] = asked[1, front + each], asked[2, front + each], -1
            if size <= WIDE_BYTES and len(whole):
                tokens[each] = find_token(data, at, at + size, spelt, offsets, whole)
            sizes[each] = size if size <= WIDE_BYTES and tokens[each] < 0 else 0
        rows, numbers = made[front * ROW : (front + WORDS) * ROW], counts[front : front + WORDS]
        starts = asked[1, front : front + WORDS]
        merge_together(data, starts, sizes, count, rows, numbers, letters, first, pairs, merged)
        for each in range(count):
            for place in range(each * ROW, each * ROW + numbers[each]):
                rows[place] = ids[rows[place]]
            if tokens[each] >= 0:
                rows[each * ROW], numbers[each] = tokens[each], 1
