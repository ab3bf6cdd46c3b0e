"""Repeated runs of words within one document, from the words' hashes: the counts behind Gopher's repetition rules.

A run of n words can only be repeated where its first n - 1 words are, so each length looks only at the places the
length before left over: on prose almost nothing is left after three words, and ten lengths cost little more than two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.text.hashing import ROLL
from tamis.text.inline import inlined
from tamis.text.kernel import kernel, proven_kernel

# Of runs of 2, 3 and 4 words: the most frequent. Of runs of 5 to 10 words: all that are repeated.
TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
LONGEST = 10

# So many runs are counted in one table, which then fits the second cache (1 MB); more of them in parts.
AT_ONCE = 1 << 14
PARTS = 256
PART_SHIFT = np.uint64(56)


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


@proven_kernel
def repeated_runs(
    hashes: Any, sums: Any, words: Any, rolled: Any, places: Any, groups: Any, counts: Any, cells: Any, result: Any
) -> Any:
    """Write into `result` the worth of the top 2-, 3- and 4-grams and of the repeated 5- to 10-grams, in that order.

    `sums` are the words' worths summed up to each; the other arrays are scratch (`scratch`). The top n-gram is the most
    frequent (of several, the longest), its worth times its frequency; one that stands once is no repetition. A repeated
    n-gram counts from its second occurrence on, and the search goes on behind it, so nothing counts twice.

    Unchecked: a place left over has at least `length` words from it on, there are at most `words` of them, and a slot
    is below the size of its table.
    """
    left = max(words - 1, 0)
    for place in range(left):
        places[place] = place
        rolled[place] = hashes[place]
    for length in range(2, LONGEST + 1):
        if left == 0:
            break
        if left <= AT_ONCE:
            left = _repeated_at_once(hashes, rolled, places, left, length, groups, counts, cells)
        else:
            left = _repeated_in_parts(hashes, rolled, places, left, length, groups, counts, cells)
        if length <= 4:
            result[length - 2] = _top(places, counts, left, sums, length)
        else:
            result[length - 2] = _worth(places, groups, left, sums, length, cells)
        # A run at the very end has no word more to grow by.
        while left > 0 and places[left - 1] + length >= words:
            left -= 1


@inlined
def scratch(words: Any) -> Any:
    """Return (rolled, places, groups, counts, cells) for texts of at most so many words."""
    most = max(words, 1)
    rolled = np.empty(most, np.uint64)
    places, groups, counts = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    # A key and a count in turn, so that both lie in one cache line; then the runs sorted into parts.
    return rolled, places, groups, counts, np.empty(2 * capacity(most) + most, np.uint64)


@inlined
def _count(cells: Any, size: Any, value: Any) -> Any:
    """Count a run in the table cells[: 2 * size] and return where its count stands."""
    # Words' hashes are mixed, so a sum of multiples of them needs no mixing of its own.
    key = value | np.uint64(1)
    slot: Any = 2 * np.int64((value >> np.uint64(1)) & np.uint64(size - 1))
    while cells[slot] != key and cells[slot] != 0:
        slot = slot + 2 if slot + 2 < 2 * size else 0
    cells[slot] = key
    cells[slot + 1] += np.uint64(1)
    return slot + 1


@inlined
def _repeated_at_once(
    hashes: Any, rolled: Any, places: Any, left: Any, length: Any, groups: Any, counts: Any, cells: Any
) -> Any:
    """Keep those of the places where a run begins that stands again; write how often it does, and a number for it."""
    size = capacity(left)
    cells[: 2 * size] = 0
    for which in range(left):
        place = places[which]
        rolled[place] = rolled[place] * ROLL + hashes[place + length - 1]
        groups[which] = _count(cells, size, rolled[place])
    kept: Any = 0
    for which in range(left):
        slot = groups[which]
        if cells[slot] > 1:
            places[kept], groups[kept], counts[kept] = places[which], slot >> 1, np.int64(cells[slot])
            kept += 1
    return kept


@inlined
def _repeated_in_parts(
    hashes: Any, rolled: Any, places: Any, left: Any, length: Any, groups: Any, counts: Any, cells: Any
) -> Any:
    """As `_repeated_at_once`, for many words: one table of all would miss the cache at every look.

    Runs are sorted by the first bits of their hash into PARTS, which are counted one after the other.
    """
    begins = np.zeros(PARTS + 1, np.int64)
    for which in range(left):
        place = places[which]
        rolled[place] = rolled[place] * ROLL + hashes[place + length - 1]
        begins[np.int64(rolled[place] >> PART_SHIFT) + 1] += 1
    largest = np.int64(0)
    for part in range(PARTS):
        largest = max(largest, begins[part + 1])
        begins[part + 1] += begins[part]
    # The sorted runs lie behind the table, which the largest part decides.
    keys = cells[2 * capacity(largest) :]
    for which in range(left):
        value = rolled[places[which]]
        its = np.int64(value >> PART_SHIFT)
        keys[begins[its]] = value
        begins[its] += 1
    number = np.uint64(0)
    for part in range(PARTS):
        # `begins` has moved on to where the next part begins.
        first = begins[part - 1] if part > 0 else 0
        size = capacity(begins[part] - first)
        cells[: 2 * size] = 0
        for at in range(first, begins[part]):
            keys[at] = np.uint64(_count(cells, size, keys[at]))
        for at in range(first, begins[part]):
            slot = np.int64(keys[at])
            # Once numbered, a run's key gives way to its number: keys are odd and looked for no more.
            if cells[slot - 1] & np.uint64(1):
                cells[slot - 1] = number << np.uint64(1)
                number += np.uint64(1)
            # Neither needs more than 32 bits: each run takes 60 bytes here.
            keys[at] = cells[slot] << np.uint64(32) | cells[slot - 1] >> np.uint64(1)
    for part in range(PARTS - 1, 0, -1):
        begins[part] = begins[part - 1]
    begins[0] = 0
    kept: Any = 0
    # Read as they were written, part by part in turn, they come back to their places in order.
    for which in range(left):
        place = places[which]
        its = np.int64(rolled[place] >> PART_SHIFT)
        found = keys[begins[its]]
        begins[its] += 1
        count = np.int64(found >> np.uint64(32))
        if count > 1:
            places[kept], groups[kept], counts[kept] = place, np.int64(found & np.uint64(0xFFFFFFFF)), count
            kept += 1
    return kept


@inlined
def _top(places: Any, counts: Any, left: Any, sums: Any, length: Any) -> Any:
    most: Any = np.int64(1)
    best: Any = np.int64(0)
    for which in range(left):
        count = counts[which]
        if count >= most:
            place = places[which]
            worth = (sums[place + length] - sums[place]) * count
            if count > most or worth > best:
                most, best = count, worth
    return best


@inlined
def _worth(places: Any, groups: Any, left: Any, sums: Any, length: Any, seen: Any) -> Any:
    worth: Any = 0
    free: Any = 0
    # The table is done with: its first bits now say which runs have been seen.
    last = np.int64(0)
    for which in range(left):
        last = max(last, groups[which])
    seen[: (last >> 6) + 1] = 0
    for which in range(left):
        place = places[which]
        if place < free:
            continue
        cell, bit = groups[which] >> 6, np.uint64(1) << np.uint64(groups[which] & 63)
        if seen[cell] & bit:
            worth += sums[place + length] - sums[place]
            free = place + length
        seen[cell] |= bit
    return worth
