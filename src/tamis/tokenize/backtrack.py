"""Byte-pair encoding without merging: longest tokens first, neighbours proved, a step back where none fits.

A row of tokens is the encoding if and only if each token and each pair of neighbours encodes to itself. So the longest
token is taken that may stand beside the last one, and where none may, the last gives way to a shorter one; a place that
led nowhere is not entered twice. The method is that of the `bpe` crate (van Antwerpen and Neubeck, GitHub 2024, MIT).
We differ in that tokens are numbered by merge: bytes 0 to 255, then 256 + rank, whatever their ids.

No kernel here checks bounds. Numbers come out of the trie and the tables, which hold only numbers below their length;
places are below `end`, and the first byte of what is left is always a token.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tamis.tokenize.merge import NO_RANK, SCAN_LIMIT, Ids32, Slots, merge, rank_of
from tamis.tokenize.split import Bytes
from tamis.tokenize.trie import BITS, FIELD, Trie, build
from tamis.tokenize.unchecked import unchecked

BYTES = 256
SIZE_BITS = 10  # of `shape`: the size of a token, above it its longest prefix + 1
SIZES = (1 << SIZE_BITS) - 1
_PAIR_BITS = 19  # of the filter: 64 KiB, an eighth set by 65,536 merges


class Proofs(NamedTuple):
    """Tokens by number: `left` and `right` what a token was merged from, a byte from itself, shape (n,).

    `filter` has a bit for each pair that merges, and for some that do not.
    """

    trie: Trie
    left: Ids32
    right: Ids32
    shape: Ids32
    filter: Bytes


def proofs(lefts: Ids32, rights: Ids32, spelling: list[bytes], first: Ids32, pairs: Slots) -> Proofs:
    """Return the tables for merge i of `lefts[i]` and `rights[i]`, all by number; `first`, `pairs` are for `merge`.

    Raises ValueError where the method does not apply: where a part comes after the whole, or a token is very long.
    """
    own = np.arange(BYTES, BYTES + len(lefts), dtype=np.int32)
    if (lefts >= own).any() or (rights >= own).any():
        raise ValueError("a merge comes before its parts")
    if max(map(len, spelling)) > SIZES:
        raise ValueError("a token is too long")
    offsets = np.zeros(len(spelling) + 1, np.int64)
    np.cumsum([len(token) for token in spelling], out=offsets[1:])
    arena = np.frombuffer(b"".join(spelling), np.uint8)
    itself = merge_to_themselves(arena, offsets, first, pairs)
    trie = build([token if same else b"" for token, same in zip(spelling, itself.tolist(), strict=True)])
    bytes_ = np.arange(BYTES, dtype=np.int32)
    left, right = np.concatenate([bytes_, lefts]), np.concatenate([bytes_, rights])
    return Proofs(trie, left, right, shapes(arena, offsets, trie), pair_filter(lefts, rights))


def no_proofs() -> Proofs:
    """Return empty tables: every pre-token is merged."""
    none = np.zeros(0, np.int32)
    return Proofs(np.zeros(0, np.int64), none, none, none, np.zeros(0, np.uint8))


@unchecked
def merge_to_themselves(arena: Bytes, offsets: Slots, first: Ids32, pairs: Slots) -> npt.NDArray[np.bool_]:
    """Return which tokens merging makes of their own bytes; the others never occur."""
    count = len(offsets) - 1
    letters, merged = np.arange(BYTES).astype(np.int32), np.arange(BYTES, count).astype(np.int32)
    found, work, same = np.empty(SIZES, np.int32), np.empty((3, SCAN_LIMIT), np.int32), np.ones(count, np.bool_)
    for number in range(BYTES, count):
        size = merge(arena, offsets[number], offsets[number + 1], found, work, letters, first, pairs, merged)
        same[number] = size == 1 and found[0] == number
    return same


@unchecked
def shapes(arena: Bytes, offsets: Slots, trie: Trie) -> Ids32:
    """Return `shape` of each token: its size and the longest token that is a true prefix of it."""
    result = np.empty(len(offsets) - 1, np.int32)
    for number in range(len(result)):
        size = offsets[number + 1] - offsets[number]
        shorter = longest(arena, offsets[number], offsets[number + 1] - 1, trie) + 1 if size > 1 else 0
        result[number] = shorter << SIZE_BITS | size
    return result


@unchecked
def pair_bit(left: int, right: int) -> int:
    """Return the bit of the filter that a pair has."""
    mixed = np.uint64(left) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(right) * np.uint64(0xD6E8FEB86659FD93)
    return int(np.int64(mixed >> np.uint64(64 - _PAIR_BITS)))


@unchecked
def pair_filter(lefts: Ids32, rights: Ids32) -> Bytes:
    """Return the filter of the pairs that merge."""
    result = np.zeros(1 << (_PAIR_BITS - 3), np.uint8)
    for rank in range(len(lefts)):
        bit = pair_bit(lefts[rank], rights[rank])
        result[bit >> 3] |= np.uint8(1 << (bit & 7))
    return result


@unchecked
def stand(one: int, two: int, left: Ids32, right: Ids32, filter_: Bytes, pairs: Slots) -> bool:
    """Return whether two tokens side by side are what merging makes of their bytes.

    Their merges are undone from the last to the first; none across the border may come before one that is undone.
    """
    limit = NO_RANK
    while True:
        bit = pair_bit(one, two)
        if filter_[bit >> 3] >> (bit & 7) & 1 and BYTES + rank_of(one, two, pairs) < limit:
            return False
        if one > two:
            limit = one
            one = int(right[one])
            if one == limit:
                limit = two + 1
                two = int(left[two])
                if two + 1 == limit:
                    return True
        else:
            limit = two + 1
            two = int(left[two])
            if two + 1 == limit:
                limit = one
                one = int(right[one])
                if one == limit:
                    return True


@unchecked
def longest(data: Bytes, at: int, end: int, trie: Trie) -> int:
    """Return the longest token that starts at `at`, which is below `end`."""
    state, token, word = np.int64(0), np.int64(1), trie[0]
    while at < end:
        following = (word & FIELD) + np.int64(data[at])
        word = trie[following]
        if (word >> BITS & FIELD) != state:
            break
        state = following
        token = word >> 2 * BITS if word >> 2 * BITS > 0 else token
        at += 1
    return int(token - 1)


@unchecked
def backtrack(
    data: Bytes,
    start: int,
    end: int,
    found: Ids32,
    trie: Trie,
    left: Ids32,
    right: Ids32,
    shape: Ids32,
    filter_: Bytes,
    pairs: Slots,
) -> int:
    """Write the tokens of the bytes `data[start:end]` by number to `found`, which has room, and return how many."""
    open_ = np.ones(end - start + 1, np.uint8)  # places that may still be entered
    count, at, last = 0, start, 0
    token = longest(data, at, end, trie)
    while True:
        about = int(shape[token])
        after = at + (about & SIZES)
        if open_[after - start] and (count == 0 or stand(last, token, left, right, filter_, pairs)):
            found[count], last = token, token
            count += 1
            at = after
            if at >= end:
                return count
            token = longest(data, at, end, trie)
        elif about >> SIZE_BITS:
            token = (about >> SIZE_BITS) - 1
        else:
            open_[at - start] = 0
            count -= 1
            token = int(found[count])
            at -= int(shape[token]) & SIZES
            last = int(found[count - 1]) if count else last
