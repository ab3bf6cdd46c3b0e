"""Byte-pair merges as kernels: lowest rank first, leftmost among equals, exactly as the reference applies them.

Sennrich, Haddow and Birch (2016, arXiv 1508.07909). Short pre-tokens scan for the best pair; long ones keep a heap, so
that a megabyte without a space costs n log n.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tamis.text.kernel import kernel

# Pairs are hashed with a key of two ids of this many bits; a slot is key << RANK_BITS | rank, in 63 bits.
ID_BITS, RANK_BITS = 21, 21
MAX_IDS = 1 << ID_BITS
NO_RANK = 1 << RANK_BITS
SCAN_LIMIT = 48  # from about this length a heap is faster than scanning

Slots = npt.NDArray[np.int64]
Ids32 = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


@kernel
def pair_place(key: int, mask: int) -> int:
    """Return the slot where the search for a pair's key starts."""
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return int(np.int64((mixed >> np.uint64(32)) & np.uint64(mask)))


@kernel
def fill_pairs(lefts: Ids32, rights: Ids32, slots: Slots) -> None:
    """Enter pair i with rank i, the later rank of a pair listed twice; `slots` is all -1, its length a power of 2."""
    mask = len(slots) - 1
    for rank in range(len(lefts)):
        key = int(lefts[rank]) << ID_BITS | int(rights[rank])
        place = pair_place(key, mask)
        while slots[place] >= 0 and slots[place] >> RANK_BITS != key:
            place = (place + 1) & mask
        slots[place] = key << RANK_BITS | rank


@kernel
def rank_of(left: int, right: int, slots: Slots) -> int:
    """Return the rank of a pair, NO_RANK where it does not merge."""
    mask = len(slots) - 1
    key = left << ID_BITS | right
    place = pair_place(key, mask)
    while slots[place] >= 0:
        if slots[place] >> RANK_BITS == key:
            return int(slots[place]) & (NO_RANK - 1)
        place = (place + 1) & mask
    return NO_RANK


@kernel
def scan_merge(count: int, ids: Ids32, ranks: Slots, slots: Slots, merged: Ids32) -> int:
    """Merge `ids[:count]` in place and return how many are left; `ranks[: count - 1]` are those of its pairs."""
    while count > 1:
        best, at = NO_RANK, 0
        for place in range(count - 1):
            if ranks[place] < best:
                best, at = ranks[place], place
        if best == NO_RANK:
            break
        ids[at] = merged[best]
        count -= 1
        for place in range(at + 1, count):
            ids[place] = ids[place + 1]
            ranks[place - 1] = ranks[place]
        if at > 0:
            ranks[at - 1] = rank_of(ids[at - 1], ids[at], slots)
        if at < count - 1:
            ranks[at] = rank_of(ids[at], ids[at + 1], slots)
    return count


@kernel
def heap_push(heap: Slots, size: int, value: int) -> int:
    """Push onto a binary min-heap of `size` values and return its new size."""
    place = size
    while place > 0 and heap[(place - 1) >> 1] > value:
        heap[place] = heap[(place - 1) >> 1]
        place = (place - 1) >> 1
    heap[place] = value
    return size + 1


@kernel
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


@kernel
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


@kernel
def merge(
    data: Bytes,
    start: int,
    end: int,
    ids: Ids32,
    ranks: Slots,
    letters: Ids32,
    first: Ids32,
    slots: Slots,
    merged: Ids32,
) -> int:
    """Write what the bytes `data[start:end]` become to `ids` and return how many ids that is.

    `letters` is the id of each byte and `first` the rank of each pair of bytes, for most searches are for those.
    `ids` has room for every byte, `ranks` for SCAN_LIMIT.
    """
    count = end - start
    for place in range(count):
        ids[place] = letters[data[start + place]]
    if count > SCAN_LIMIT:
        return heap_merge(count, ids, slots, merged)
    for place in range(count - 1):
        ranks[place] = first[np.int64(data[start + place]) << 8 | np.int64(data[start + place + 1])]
    return scan_merge(count, ids, ranks, slots, merged)


@kernel
def byte_ranks(letters: Ids32, slots: Slots) -> Ids32:
    """Return the rank of each pair of bytes, shape (65536,)."""
    result = np.empty(65536, np.int32)
    for pair in range(65536):
        result[pair] = rank_of(letters[pair >> 8], letters[pair & 255], slots)
    return result
