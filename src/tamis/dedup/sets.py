"""Shingle sets of the documents under comparison: in memory while they fit, else in one scratch file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text, text_buffers
from tamis.dedup.options import DedupOptions
from tamis.dedup.shingle import Hashes, composed, shingle_hashes
from tamis.dedup.unchecked import unchecked

Set = npt.NDArray[np.uint32]
Numbers = npt.NDArray[np.int64]

_32 = np.uint64(32)


class SetStore:
    """Sorted sets of 32-bit shingle hashes, numbered as they are added. A context manager: its file is gone on exit.

    32 bits halve the memory; two sets of n and m shingles share n·m/2^32 by accident, a millionth of a usual page's.
    """

    def __init__(self, memory: int, scratch: Path) -> None:
        self._memory = memory
        self._scratch = scratch
        self._file: IO[bytes] | None = None
        self._sets: list[Set] = []
        self._held = 0
        self._counts: list[Numbers] = []
        self._starts: Numbers | None = None

    def __enter__(self) -> SetStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, texts: pa.Array, options: DedupOptions) -> npt.NDArray[np.float64]:
        """Add the sets of texts; return the texts' lengths in bytes of UTF-8."""
        texts = composed(as_text(texts))
        offsets, hashes = shingle_hashes(texts, options)
        self._keep(*distinct(offsets, hashes))
        return np.diff(text_buffers(texts)[0]).astype(np.float64)

    def add_stored(self, sets: pa.LargeListArray) -> None:
        """Add sets as `sign` stores them."""
        counts = np.diff(sets.offsets.to_numpy()).astype(np.int64)
        self._keep(sets.flatten().to_numpy().astype(np.uint32), counts)

    def _keep(self, values: Set, counts: Numbers) -> None:
        self._counts.append(counts)
        self._sets.append(values)
        self._held += values.nbytes
        self._starts = None
        if self._held > self._memory or self._file is not None:
            self._flush()

    @property
    def bytes(self) -> int:
        """How many bytes all sets take."""
        return 4 * int(self._index()[-1])

    def bytes_of(self, numbers: Numbers) -> Numbers:
        """Return the bytes that each of these sets takes."""
        starts = self._index()
        return 4 * (starts[numbers + 1] - starts[numbers])

    def gather(self, numbers: Numbers) -> tuple[Set, Numbers, Numbers]:
        """Return `(values, starts, ends)` of these sets (ascending): set k is values[starts[k]:ends[k]]."""
        starts = self._index()
        begins, stops = starts[numbers], starts[numbers + 1]
        if self._file is None:
            if len(self._sets) != 1:
                self._sets = [np.concatenate([np.empty(0, np.uint32), *self._sets])]
            return self._sets[0], begins, stops
        ends = np.cumsum(stops - begins)
        values = np.empty(int(ends[-1]) if len(ends) else 0, np.uint32)
        at = 0
        for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True):
            self._file.seek(4 * begin)
            got = self._file.read(4 * (stop - begin))
            values[at : at + stop - begin] = np.frombuffer(got, np.uint32)
            at += stop - begin
        return values, ends - (stops - begins), ends

    def _index(self) -> Numbers:
        if self._starts is None:
            self._starts = np.concatenate([[0], np.cumsum(np.concatenate([np.empty(0, np.int64), *self._counts]))])
        return self._starts

    def _flush(self) -> None:
        if self._file is None:
            # Unnamed, so that not even a kill leaves it behind.
            self._file = tempfile.TemporaryFile(prefix="sets-", dir=self._scratch)  # noqa: SIM115
        self._file.seek(0, 2)
        for values in self._sets:
            self._file.write(values.data)
        self._sets, self._held = [], 0


def distinct(offsets: Numbers, hashes: Hashes) -> tuple[Set, Numbers]:
    """Return each text's distinct hashes, their upper halves, sorted, one text after another, and how many each has."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    longest = int(np.diff(offsets).max(initial=0))
    values = np.empty(len(hashes), np.uint32)
    used = _distinct(offsets, hashes, np.empty(longest + 1, np.int64), np.empty(longest, np.uint32), values, counts)
    return values[:used], counts


# Without bounds checks: `offsets` are those `shingle_hashes` has made, and places are counted before they are filled.
@unchecked
def _distinct(  # long: one loop a text; its parts share the places they count
    offsets: Numbers, hashes: Hashes, places: Numbers, sorted_: Set, values: Set, counts: Numbers
) -> int:
    """Sort each text's hashes into as many buckets as it has hashes, by value: hashes are spread evenly, so that a
    bucket has one or two and the insertion that follows moves next to nothing."""
    to = 0
    for row in range(len(offsets) - 1):
        here = hashes[offsets[row] : offsets[row + 1]]
        size = np.uint64(here.size)
        places[: here.size + 1] = 0
        for value in here:
            places[np.int64(((value >> _32) * size) >> _32) + 1] += 1
        for at in range(here.size):
            places[at + 1] += places[at]
        for value in here:
            bucket = np.int64(((value >> _32) * size) >> _32)
            sorted_[places[bucket]] = np.uint32(value >> _32)
            places[bucket] += 1
        begin = to
        for i in range(here.size):
            moved, at = sorted_[i], i
            while at > 0 and sorted_[at - 1] > moved:
                sorted_[at] = sorted_[at - 1]
                at -= 1
            sorted_[at] = moved
        for i in range(here.size):
            if to == begin or sorted_[i] != values[to - 1]:
                values[to] = sorted_[i]
                to += 1
        counts[row] = to - begin
    return to
