"""Merging several pre-tokens side by side, a merge of each in turn.

A merge waits for the ranks of the two pairs it makes, which come from far away. So all pre-tokens ask for theirs before
the first reads its answer. What is merged, and in which order, is as in `merge`.

No kernel here checks bounds: pre-tokens have at most LETTERS bytes, `count` is at most the length of the arrays.
"""

from __future__ import annotations

import numpy as np

from tamis.tokenize.merge import (
    ID_BITS,
    MAX_IDS,
    NO_KEY,
    RANK_BITS,
    SCAN_LIMIT,
    Ids32,
    Slots,
    least,
    pair_place,
    rank_at,
)
from tamis.tokenize.split import Bytes
from tamis.tokenize.unchecked import inlined, prefetch, unchecked

WORDS, LETTERS = 32, 31  # merged at once, and bytes of each at most
ROW = LETTERS + 1  # an array holds 32 places for each word, one word after another
_ALL = WORDS * ROW - 1  # a mask: without it each index would be looked at for being negative
_NOWHERE = LETTERS  # the place of a pair that is not there
_NO_PAIR = (MAX_IDS - 1) << ID_BITS + RANK_BITS  # no vocabulary has the last id


@inlined
def begin(data: Bytes, start: int, size: int, row: int, keys: Ids32, before: Ids32, after: Ids32, first: Ids32) -> None:
    """Lay out one pre-token, but for its ids: its places in a row, and the keys of its pairs of bytes."""
    for place in range(ROW):
        keys[row + place], before[row + place], after[row + place] = NO_KEY, place - 1, place + 1
    before[row] = _NOWHERE
    for place in range(size - 1):
        pair = np.int64(data[start + place]) << 8 | np.int64(data[start + place + 1])
        keys[row + place] = first[pair] << 6 | place


@inlined
def finish(ids: Ids32, after: Ids32, row: int, size: int) -> int:
    """Move the ids that are left to the front and return how many."""
    kept = place = 0
    while place < size:
        ids[row + kept] = ids[row + place]
        place = after[row + place]
        kept += 1
    return kept


@unchecked
def merge_together(
    data: Bytes, starts: Slots, sizes: Slots, count: int, ids: Ids32, counts: Slots, letters: Ids32, first: Ids32,
    slots: Slots, merged: Ids32,
) -> None:  # fmt: skip
    """Write what `count` pre-tokens become to the rows of `ids`, shape (WORDS * ROW,), and how many to `counts`."""
    keys, before, after = (
        np.empty(WORDS * ROW, np.int32),
        np.empty(WORDS * ROW, np.int32),
        np.empty(WORDS * ROW, np.int32),
    )
    working, places = np.empty(WORDS, np.int64), np.zeros(WORDS, np.int64)
    rights, lefts = np.full(WORDS, _NO_PAIR), np.full(WORDS, _NO_PAIR)
    for word in range(count):
        begin(data, starts[word], sizes[word], word * ROW, keys, before, after, first)
        for place in range(sizes[word]):
            ids[word * ROW + place] = letters[data[starts[word] + place]]
        working[word] = word
    active, begun, wide = count, False, ROW // 2 if sizes[:count].max() <= ROW // 2 else ROW
    while active:
        if begun:
            for each in range(active):
                word = working[each]
                row, at = word * ROW & _ALL, places[word]
                keys[row + at] = rank_at(rights[word], slots) << 6 | at
                left = before[row + at]
                keys[row + left] = rank_at(lefts[word], slots) << 6 | left
        begun, going = True, 0
        for each in range(active):
            word = working[each]
            row = word * ROW & _ALL
            best = least(keys, row, wide)
            if best >= NO_KEY:
                counts[word] = finish(ids, after, row, sizes[word])
                continue
            working[going] = word
            going += 1
            at = best & (SCAN_LIMIT - 1)
            gone = np.int64(after[row + at])
            following, left = np.int64(after[row + gone]), np.int64(before[row + at])
            token = np.int64(merged[best >> 6])
            ids[row + at] = token
            after[row + at], before[row + following], keys[row + gone] = following, at, NO_KEY
            places[word] = at
            right = (token << ID_BITS | np.int64(ids[row + following])) << RANK_BITS
            rights[word] = right if following < sizes[word] else _NO_PAIR
            right = (np.int64(ids[row + left]) << ID_BITS | token) << RANK_BITS
            lefts[word] = right if left != _NOWHERE else _NO_PAIR
            prefetch(slots, pair_place(rights[word], slots))
            prefetch(slots, pair_place(lefts[word], slots))
        active = going
