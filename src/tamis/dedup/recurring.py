"""Recurring keys: a first pass that counts to two, so that what occurs once is never held, sorted or spilled.

Most keys of a band occur once. Each key has a slot of two bits, by its low bits; keys whose slot was met twice are
taken in by the second pass, and among them the few that only share a slot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import Stream
from tamis.dedup.unchecked import unchecked

Keys = npt.NDArray[np.uint64]
KeysOf = Callable[[pa.RecordBatch], Keys]

# Slots for each key: at 8 to 16 at most an eighth of the single keys passes in vain.
_SLOTS = 8
_LEAST_SLOTS = 64


class Recurring:
    """Counts keys in at most about `memory` bytes, for `rows` of them; with less memory more single keys pass."""

    def __init__(self, rows: int, memory: int) -> None:
        wanted = 1 << max(_SLOTS * rows - 1, 1).bit_length()
        room = 1 << max(4 * memory, 1).bit_length() - 1
        slots = max(min(wanted, room), _LEAST_SLOTS)
        self._mask = np.uint64(slots - 1)
        self._twos = np.zeros(slots // 4, np.uint8)
        self._found = np.empty((0, 2), np.uint64)

    def add(self, keys: Keys) -> None:
        """Count keys."""
        _count(keys, self._mask, self._twos)

    def among(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Return which keys may have been counted twice: all that were, and few others; shape (n,)."""
        found = np.zeros(len(keys), np.bool_)
        _find(keys, self._mask, self._twos, found)
        return found

    def pairs(self, keys: Keys, docs: Keys) -> Keys:
        """Return (key, document) of the keys that `among` names, shape (n, 2); the next call overwrites them."""
        if len(keys) >= len(self._found):
            self._found = np.empty((len(keys) + 1, 2), np.uint64)
        return self._found[: _select(keys, docs[: len(keys)], self._mask, self._twos, self._found)]


def recurring(streams: Stream, keys: KeysOf, memory: int) -> Recurring | None:
    """Return the count of all keys of a stream that can be walked again; None where it can be walked but once."""
    if iter(streams) is streams:
        return None
    rows = getattr(streams, "rows", None)
    found = Recurring(sum(batch.num_rows for _, batch in streams) if rows is None else rows, memory)
    for _, batch in streams:
        found.add(keys(batch))
    return found


# Without bounds checks: the mask lies within `twos`.
@unchecked
def _count(keys: Keys, mask: np.uint64, twos: npt.NDArray[np.uint8]) -> None:
    for key in keys:
        slot = key & mask
        at, shift = slot >> np.uint64(2), np.uint8(2) * np.uint8(slot & np.uint64(3))
        if (twos[at] >> shift) & np.uint8(3) < 2:
            twos[at] += np.uint8(1) << shift


@unchecked
def _find(keys: Keys, mask: np.uint64, twos: npt.NDArray[np.uint8], found: Any) -> None:
    for i in range(len(keys)):
        slot = keys[i] & mask
        shift = np.uint8(2) * np.uint8(slot & np.uint64(3))
        found[i] = (twos[slot >> np.uint64(2)] >> shift) & np.uint8(3) == 2


# Without bounds checks: the mask lies within `twos`, and `found` has a row more than there are keys.
@unchecked
def _select(keys: Keys, docs: Keys, mask: np.uint64, twos: npt.NDArray[np.uint8], found: Keys) -> int:
    """Write the pairs that recur one after another. Always written, kept only when counted: no branch to guess."""
    to = 0
    for i in range(len(keys)):
        slot = keys[i] & mask
        shift = np.uint8(2) * np.uint8(slot & np.uint64(3))
        found[to, 0], found[to, 1] = keys[i], docs[i]
        to += (twos[slot >> np.uint64(2)] >> shift) & np.uint8(3) == 2
    return to
