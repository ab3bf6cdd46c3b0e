"""Repeated runs of words within one document, from the words' hashes: the counts behind Gopher's repetition rules.

A run of n words can only be repeated where its first n - 1 words are, so each length looks only at the places the
length before left over: on prose almost nothing is left after three words, and ten lengths cost little more than two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.text.hashing import ROLL
from tamis.text.inline import inlined
from tamis.text.kernel import kernel

# Of runs of 2, 3 and 4 words: the most frequent. Of runs of 5 to 10 words: all that are repeated.
TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
LONGEST = 10


@inlined
def slot_of(keys: Any, mask: Any, key: Any) -> Any:
    """Return the slot of `key` (not 0) in an open-addressing table, or the free slot where it belongs."""
    slot = np.int64(key & np.uint64(mask))
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@inlined
def capacity(entries: Any) -> Any:
    """Return a power of two that leaves a table of so many entries at least half empty."""
    size = 8
    while size < 2 * entries:
        size *= 2
    return size


@kernel
def repeated_entries(hashes: Any, worths: Any, count: Any, keys: Any) -> Any:
    """Return (entries, worth) of those of the first `count` entries whose hash stood there before."""
    size = capacity(count)
    keys[:size] = 0
    entries, worth = 0, 0
    for place in range(count):
        key = hashes[place] | np.uint64(1)
        slot = slot_of(keys, size - 1, key)
        if keys[slot] == key:
            entries += 1
            worth += worths[place]
        keys[slot] = key
    return entries, worth


@kernel
def repeated_runs(
    hashes: Any, sums: Any, words: Any, rolled: Any, places: Any, slots: Any, cells: Any, result: Any
) -> Any:
    """Write into `result` the worth of the top 2-, 3- and 4-grams and of the repeated 5- to 10-grams, in that order.

    `sums` are the words' worths summed up to each; the other arrays are scratch: `cells` has a key and a count in turn,
    so that both lie in one cache line. The top n-gram is the most frequent (of several, the longest), its worth times
    its frequency; one that stands once is no repetition. A repeated n-gram counts from its second occurrence on, and
    the search goes on behind it, so nothing counts twice.
    """
    left = max(words - 1, 0)
    for place in range(left):
        places[place] = place
        rolled[place] = hashes[place]
    for length in range(2, LONGEST + 1):
        if left == 0:
            break
        size = capacity(left)
        mask = np.uint64(size - 1)
        cells[: 2 * size] = 0
        for which in range(left):
            place = places[which]
            # Words' hashes are mixed, so a sum of multiples of them needs no mixing of its own.
            value = rolled[place] * ROLL + hashes[place + length - 1]
            rolled[place] = value
            key = value | np.uint64(1)
            slot: Any = 2 * np.int64((value >> np.uint64(1)) & mask)
            while cells[slot] != key and cells[slot] != 0:
                slot = slot + 2 if slot + 2 < 2 * size else 0
            cells[slot] = key
            cells[slot + 1] += np.uint64(1)
            slots[which] = slot + 1
        if length <= 4:
            result[length - 2] = _top(places, slots, cells, left, sums, length)
        kept = 0
        for which in range(left):
            if cells[slots[which]] > 1:
                slots[kept] = slots[which]
                places[kept] = places[which]
                kept += 1
        if length >= 5:
            result[length - 2] = _repeated(places, slots, cells, kept, sums, length)
        left = kept
        # A run at the very end has no word more to grow by.
        while left > 0 and places[left - 1] + length >= words:
            left -= 1


@inlined
def _top(places: Any, slots: Any, cells: Any, left: Any, sums: Any, length: Any) -> Any:
    most: Any = np.uint64(1)
    best: Any = np.int64(0)
    for which in range(left):
        count = cells[slots[which]]
        if count > 1 and count >= most:
            place = places[which]
            worth = (sums[place + length] - sums[place]) * np.int64(count)
            if count > most or worth > best:
                most, best = count, worth
    return best


@inlined
def _repeated(places: Any, slots: Any, cells: Any, kept: Any, sums: Any, length: Any) -> Any:
    worth: Any = 0
    free: Any = 0
    for which in range(kept):
        place = places[which]
        if place < free:
            continue
        # Its count is spent as a mark that the run has been seen.
        if cells[slots[which]] == 0:
            worth += sums[place + length] - sums[place]
            free = place + length
        cells[slots[which]] = 0
    return worth
