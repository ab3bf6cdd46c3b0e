"""Byte-pair merges as kernels: lowest rank first, leftmost among equals, exactly as the reference applies them.

Sennrich, Haddow and Birch (2016, arXiv 1508.07909). Short pre-tokens scan for the best pair, eight pairs to an
instruction; long ones keep a heap, so that a megabyte without a space costs n log n.

No kernel here checks bounds. Places are below `count`, which is at most the length of `ids`; a slot is found under a
mask of the table's length; ranks come out of the table, and `merged` has one entry for each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tamis.tokenize.unchecked import inlined, unchecked

# Pairs are hashed with a key of two ids of this many bits; a slot is key << RANK_BITS | rank, in 63 bits.
ID_BITS, RANK_BITS = 21, 21
MAX_IDS = 1 << ID_BITS
NO_RANK = 1 << RANK_BITS
BUCKET = 8
EMPTY = (1 << 63) - 1
MOST = (1 << 31) - 1  # a mask that tells the compiler that an index is not negative
SCAN_LIMIT = 64  # a pair's key is rank << 6 | place, so that the least is the leftmost of the best
NO_KEY = NO_RANK << 6

Slots = npt.NDArray[np.int64]
Ids32 = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]
Scratch = npt.NDArray[np.int32]


@inlined
def pair_place(wanted: int | np.int64, slots: Slots) -> int:
    """Return where the bucket starts in which the search for a pair begins."""
    mixed = np.uint64(wanted) * np.uint64(0x9E3779B97F4A7C15)
    return int(np.int64((mixed >> np.uint64(32)) & np.uint64(len(slots) - BUCKET)))


@unchecked
def fill_pairs(lefts: Ids32, rights: Ids32, slots: Slots) -> None:
    """Enter pair i with rank i, of two the later; `slots` is all EMPTY, its length a power of 2."""
    for rank in range(len(lefts)):
        wanted = (int(lefts[rank]) << ID_BITS | int(rights[rank])) << RANK_BITS
        place = pair_place(wanted, slots)
        while slots[place] != EMPTY and slots[place] >> RANK_BITS << RANK_BITS != wanted:
            place = (place + 1) & (len(slots) - 1)
        slots[place] = wanted | rank


@inlined
def rank_at(wanted: int | np.int64, slots: Slots) -> int:
    """Return the rank of a pair that is written as in its slot with rank 0, NO_RANK where it does not merge.

    A whole bucket, one cache line, is compared at once: the slot that differs from the pair in its rank alone has the
    least difference, which is the rank. Only a full bucket overflows into the next, so the branch is foreseen; one on
    whether there is a rank would not be.
    """
    place = pair_place(wanted, slots)
    while True:
        at = place & MOST
        one = min(min(slots[at] ^ wanted, slots[at + 1] ^ wanted), min(slots[at + 2] ^ wanted, slots[at + 3] ^ wanted))
        two = min(
            min(slots[at + 4] ^ wanted, slots[at + 5] ^ wanted), min(slots[at + 6] ^ wanted, slots[at + 7] ^ wanted)
        )
        rank = min(min(one, two), np.int64(NO_RANK))
        if slots[at + BUCKET - 1] == EMPTY:
            return int(rank)
        if rank < NO_RANK:
            return int(rank)
        place = (place + BUCKET) & (len(slots) - 1)


@unchecked
def rank_of(left: int, right: int, slots: Slots) -> int:
    """Return the rank of a pair, NO_RANK where it does not merge."""
    return rank_at((np.int64(left) << ID_BITS | np.int64(right)) << RANK_BITS, slots)


@inlined
def least(keys: Ids32, start: int, count: int) -> int:
    """Return the least of so many keys; where the compiler does not know how many, it takes sixteen at once."""
    best, first = np.int32(NO_KEY), start & MOST
    for place in range(count):
        best = min(best, keys[first + place])
    return int(best)


@unchecked
def scan_merge(count: int, ids: Ids32, work: Scratch, slots: Slots, merged: Ids32) -> int:
    """Merge `ids[:count]` in place and return how many are left; `work[0]` holds the keys of its pairs, then NO_KEY.

    `work` has shape (3, SCAN_LIMIT): keys, and the places before and after each.
    """
    keys, before, after = work[0], work[1], work[2]
    for place in range(count):
        before[place], after[place] = place - 1, place + 1
    wide, looked = count, count + 15 & -16
    while True:
        best = least(keys, 0, looked)
        if best >= NO_KEY:
            break
        at = best & (SCAN_LIMIT - 1)
        gone = after[at]
        following, left = after[gone], before[at]
        ids[at], ids[gone] = merged[best >> 6], -1
        after[at], keys[gone], keys[at] = following, NO_KEY, NO_KEY
        if following < wide:
            before[following] = at
            keys[at] = rank_of(ids[at], ids[following], slots) << 6 | at
        if left >= 0:
            keys[left] = rank_of(ids[left], ids[at], slots) << 6 | left
    kept = place = 0
    while place < wide:
        ids[kept] = ids[place]
        place = after[place]
        kept += 1
    return kept


@unchecked
def heap_push(heap: Slots, size: int, value: int) -> int:
    """Push onto a binary min-heap of `size` values and return its new size."""
    place = size
    while place > 0 and heap[(place - 1) >> 1] > value:
        heap[place] = heap[(place - 1) >> 1]
        place = (place - 1) >> 1
    heap[place] = value
    return size + 1


@unchecked
def heap_pop(heap: Slots, size: int) -> int:
    """Remove the least value, heap[0], and return the new size."""
    size -= 1
    value, place = heap[size], 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = value
    return size


@unchecked
def heap_merge(count: int, ids: Ids32, slots: Slots, merged: Ids32) -> int:
    """Merge `ids[:count]` in place and return how many are left: a heap of (rank, place) over a linked list.

    An entry is stale once its pair has changed, which its rank tells. Each merge pushes two, so 3 n entries suffice.
    """
    after = np.arange(1, count + 1)
    before = np.arange(-1, count - 1)
    heap = np.empty(3 * count, np.int64)
    size = 0
    for place in range(count - 1):
        rank = rank_of(ids[place], ids[place + 1], slots)
        if rank < NO_RANK:
            size = heap_push(heap, size, rank << 32 | place)
    while size:
        place, rank = heap[0] & 0xFFFFFFFF, heap[0] >> 32
        size = heap_pop(heap, size)
        right = after[place]
        if ids[place] < 0 or right >= count or rank_of(ids[place], ids[right], slots) != rank:
            continue
        ids[place] = merged[rank]
        ids[right] = -1
        after[place] = after[right]
        if after[place] < count:
            before[after[place]] = place
            rank = rank_of(ids[place], ids[after[place]], slots)
            if rank < NO_RANK:
                size = heap_push(heap, size, rank << 32 | place)
        left = before[place]
        if left >= 0:
            rank = rank_of(ids[left], ids[place], slots)
            if rank < NO_RANK:
                size = heap_push(heap, size, rank << 32 | left)
    kept = 0
    for place in range(count):
        if ids[place] >= 0:
            ids[kept] = ids[place]
            kept += 1
    return kept


@unchecked
def merge(
    data: Bytes,
    start: int,
    end: int,
    ids: Ids32,
    work: Scratch,
    letters: Ids32,
    first: Ids32,
    slots: Slots,
    merged: Ids32,
) -> int:
    """Write what the bytes `data[start:end]` become to `ids` and return how many ids that is.

    `letters` is the id of each byte and `first` the rank of each pair of bytes, for most searches are for those.
    `ids` has room for every byte; `work` is for `scan_merge`.
    """
    count = end - start
    for place in range(count):
        ids[place] = letters[data[start + place]]
    if count > SCAN_LIMIT:
        return heap_merge(count, ids, slots, merged)
    for place in range(SCAN_LIMIT):
        work[0, place] = NO_KEY
    for place in range(count - 1):
        rank = first[np.int64(data[start + place]) << 8 | np.int64(data[start + place + 1])]
        work[0, place] = rank << 6 | place
    return scan_merge(count, ids, work, slots, merged)


@unchecked
def byte_ranks(letters: Ids32, slots: Slots) -> Ids32:
    """Return the rank of each pair of bytes, shape (65536,)."""
    result = np.empty(65536, np.int32)
    for pair in range(65536):
        result[pair] = rank_of(letters[pair >> 8], letters[pair & 255], slots)
    return result
