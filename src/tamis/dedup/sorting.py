"""Sorting records by all their fields, fast where the first is a hash: spread by its leading bits, then settled."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.dedup.unchecked import unchecked
from tamis.text.kernel import kernel

Records = npt.NDArray[np.void]
Starts = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.uint32]

# Ranges up to this size are put in order by insertion.
_SHORT = 24
# Records in a range, as a power of two: few enough for insertion, enough that the counts stay in the cache.
_RANGE_BITS = 2


def as_pairs(records: Records) -> Words | None:
    """Return records of two uint64 fields as an array of shape (n, 2); None of others."""
    names = records.dtype.names or ()
    if [records.dtype[name] for name in names] != [np.uint64, np.uint64] or not records.flags.c_contiguous:
        return None
    return records.view(np.uint64).reshape(-1, 2)


def sorted_records(records: Records) -> Records:
    """Return records in order by all their fields; `records` themselves stay as they are."""
    pairs = as_pairs(records)
    if pairs is None or not len(pairs):
        return records[sort_order(records)]
    least, most = int(pairs[:, 0].min()), int(pairs[:, 0].max())
    # At least one, since a shift by all 64 bits would be none.
    bits = max(len(pairs).bit_length() - _RANGE_BITS, 1)
    shift = max((most - least).bit_length() - bits, 0)
    places = np.zeros((most - least >> shift) + 2, np.uint32)
    if _count(pairs, np.uint64(least), np.uint64(shift), places) * 2 > len(pairs):
        # Keys that lie in clumps, as document numbers do.
        return records[sort_order(records)]
    out = np.empty_like(pairs)
    _spread(pairs, np.uint64(least), np.uint64(shift), places, out)
    _settle_ranges(places, out)
    return out.view(records.dtype).ravel()


# Without bounds checks: `least` and `shift` come of the keys themselves, so that each key's range is in `places`.
@unchecked
def _count(pairs: Words, least: Any, shift: Any, places: Places) -> int:
    """Set places[range] to where each range begins; return how many records are in ranges too long for insertion."""
    for i in range(len(pairs)):
        places[np.int64((pairs[i, 0] - least) >> shift) + 1] += np.uint32(1)
    crowded = 0
    for at in range(1, len(places)):
        size = int(places[at])
        crowded += size if size > _SHORT else 0
        places[at] += places[at - 1]
    return crowded


@unchecked
def _spread(pairs: Words, least: Any, shift: Any, places: Places, out: Words) -> None:
    """Copy records range by range, in the order they came; places[range] becomes where the range ends."""
    for i in range(len(pairs)):
        key = pairs[i, 0]
        at = np.int64((key - least) >> shift)
        to = places[at]
        out[to, 0], out[to, 1] = key, pairs[i, 1]
        places[at] = to + np.uint32(1)


@unchecked
def _settle_ranges(ends: Places, out: Words) -> None:
    begin = np.int64(0)
    for at in range(len(ends) - 1):
        end = np.int64(ends[at])
        if end - begin > _SHORT:
            some = out[begin:end].copy()
            order = np.argsort(some[:, 0].copy())
            _settle(some[:, 0].copy(), some[:, 1].copy(), order)
            for i in range(len(order)):
                out[begin + i, 0], out[begin + i, 1] = some[order[i], 0], some[order[i], 1]
        else:
            for i in range(begin + 1, end):
                key, second, to = out[i, 0], out[i, 1], i
                while to > begin and (out[to - 1, 0] > key or (out[to - 1, 0] == key and out[to - 1, 1] > second)):
                    out[to, 0], out[to, 1] = out[to - 1, 0], out[to - 1, 1]
                    to -= 1
                out[to, 0], out[to, 1] = key, second
        begin = end


@kernel
def _settle(keys: Words, second: Words, order: npt.NDArray[np.int64]) -> None:
    """Put `order`, which is by `keys`, in order by `second` within equal keys."""
    begin = 0
    for end in range(1, len(order) + 1):
        if end < len(order) and keys[order[end]] == keys[order[begin]]:
            continue
        if end - begin > _SHORT:
            some = order[begin:end].copy()
            order[begin:end] = some[np.argsort(second[some])]
        else:
            for place in range(begin + 1, end):
                moved, at = order[place], place
                while at > begin and second[order[at - 1]] > second[moved]:
                    order[at] = order[at - 1]
                    at -= 1
                order[at] = moved
        begin = end


def sort_order(records: Records) -> npt.NDArray[np.int64]:
    """Return the order of records by all their fields; fast where the first field rarely repeats."""
    first, *rest = records.dtype.names or ()
    keys = np.ascontiguousarray(records[first])
    order = np.argsort(keys)
    if len(rest) == 1:
        _settle(keys, np.ascontiguousarray(records[rest[0]]), order)
        return order
    ordered = keys[order]
    equal = ordered[1:] == ordered[:-1]
    tied = np.flatnonzero(np.concatenate([[False], equal]) | np.concatenate([equal, [False]]))
    if len(tied):
        among = order[tied]
        order[tied] = among[np.lexsort([records[name][among] for name in [*reversed(rest), first]])]
    return order


def recurring_records(records: Records, fields: tuple[str, ...]) -> tuple[Records, Starts]:
    """Return the sorted records that share `fields` with another one, and where each such group starts."""
    pairs = as_pairs(records)
    if pairs is not None and len(fields) == 1:
        kept, starts = np.empty_like(pairs), np.empty(len(pairs) // 2, np.int64)
        rows, groups = _repeats(pairs, kept, starts)
        return kept[:rows].view(records.dtype).ravel(), starts[:groups]
    equal = np.ones(max(len(records) - 1, 0), np.bool_)
    for name in fields:
        equal &= records[name][1:] == records[name][:-1]
    again = np.concatenate([[False], equal])[: len(records)]
    kept_rows = again | np.concatenate([equal, [False]])[: len(records)]
    return records[kept_rows], np.flatnonzero(~again[kept_rows]).astype(np.int64)


@kernel
def _repeats(pairs: Words, kept: Words, starts: Starts) -> tuple[int, int]:
    rows, groups = 0, 0
    for i in range(len(pairs)):
        key = pairs[i, 0]
        again = i > 0 and pairs[i - 1, 0] == key
        if again or (i + 1 < len(pairs) and pairs[i + 1, 0] == key):
            if not again:
                starts[groups] = rows
                groups += 1
            kept[rows, 0], kept[rows, 1] = key, pairs[i, 1]
            rows += 1
    return rows, groups
