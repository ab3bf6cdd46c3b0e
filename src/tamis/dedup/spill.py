"""External sort: records that share a key, within a declared memory; runs on disk, merged by ranges of the key.

The order is by all fields, first to last, so it depends on neither the order of arrival nor the memory. The first field
is a hash, hence spread evenly; open files number one per read, runs about (bytes in) / memory.
"""

from __future__ import annotations

import shutil
import tempfile
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from tamis.dedup.recurring import Recurring
from tamis.dedup.sorting import Records, Starts, recurring_records, sorted_records

# Samples taken of each run to cut the ranges by.
_SAMPLES = 4096
# Beside the record itself, sorting holds a copy of it, and an index or two fields apart.
_SORT_BYTES = 24


class Sorter:
    """Takes records in any order and gives back those whose first field recurs, sorted; no block parts equal ones.

    A context manager: its folder under `scratch` is gone on exit. `memory` is in bytes and bounds what is held, save
    that records with one and the same first field come in one block. `chosen` says that single keys are rare already;
    with `singles`, they are given back too.
    """

    def __init__(
        self, dtype: np.dtype[np.void], memory: int, scratch: Path, *, chosen: bool = False, singles: bool = False
    ) -> None:
        self._dtype = dtype
        self._chosen = chosen or singles
        self._capacity = max(memory // (dtype.itemsize + max(dtype.itemsize + 8, _SORT_BYTES)), 1024)
        self._block = max(memory // (4 * dtype.itemsize + _SORT_BYTES), 1024)
        self._scratch = scratch
        self._folder: Path | None = None
        self._runs: list[Path] = []
        self._samples: list[npt.NDArray[np.uint64]] = []
        self._buffer = np.empty(0, dtype)
        self._used = 0
        self.spilled = 0

    def __enter__(self) -> Sorter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, records: Records) -> None:
        """Take records in; the array may be re-used by the caller afterwards."""
        taken = 0
        while taken < len(records):
            if self._used == self._capacity:
                self._spill()
            self._grow(min(self._used + len(records) - taken, self._capacity))
            count = min(len(records) - taken, self._capacity - self._used)
            self._buffer[self._used : self._used + count] = records[taken : taken + count]
            self._used, taken = self._used + count, taken + count

    def __iter__(self) -> Iterator[Records]:
        """Yield sorted blocks of the records whose first field another one shares; nothing may be added afterwards."""
        if not self._runs:
            yield from self._blocks_in_memory()
            return
        self._spill()
        self._buffer = np.empty(0, self._dtype)
        yield from self._merged()

    def _grow(self, rows: int) -> None:
        if rows > len(self._buffer):
            # np.empty leaves pages untouched until they are written, so a generous size costs nothing yet.
            larger = np.empty(min(max(2 * rows, 1024), self._capacity), self._dtype)
            larger[: self._used] = self._buffer[: self._used]
            self._buffer = larger

    def _spill(self) -> None:
        if not self._used:
            return
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="sort-", dir=self._scratch))
        records = sorted_records(self._buffer[: self._used])
        path = self._folder / f"run-{len(self._runs):05d}"
        records.tofile(path)
        keys = records[self._dtype.names[0]]  # type: ignore[index]
        self._samples.append(keys[:: max(len(keys) // _SAMPLES, 1)].copy())
        self._runs.append(path)
        self.spilled += path.stat().st_size
        self._used = 0

    def _blocks_in_memory(self) -> Iterator[Records]:
        records = sorted_records(self._without_singles(self._buffer[: self._used]))
        self._buffer = np.empty(0, self._dtype)
        keys = records[self._dtype.names[0]]  # type: ignore[index]
        begin = 0
        while begin < len(keys):
            end = min(begin + self._block, len(keys))
            while end < len(keys) and keys[end] == keys[end - 1]:
                end += 1
            yield records[begin:end]
            begin = end

    def _merged(self) -> Iterator[Records]:
        field = self._dtype.names[0]  # type: ignore[index]
        maps = [np.memmap(run, self._dtype, "r") for run in self._runs]
        at = np.zeros(len(maps), np.int64)
        for bound in self._bounds(sum(len(run) for run in maps)):
            ends = np.array([_below(run[field], bound) for run in maps])
            parts = [
                np.fromfile(path, self._dtype, int(end - begin), offset=int(begin) * self._dtype.itemsize)
                for path, begin, end in zip(self._runs, at, ends, strict=True)
            ]
            at = ends
            records = self._without_singles(np.concatenate(parts))
            del parts
            if len(records):
                yield sorted_records(records)

    def _without_singles(self, records: Records) -> Records:
        """Drop most records whose first field occurs once, which is nearly all of them, before the dearer sort."""
        if self._chosen:
            return records
        keys = np.ascontiguousarray(records[self._dtype.names[0]])  # type: ignore[index]
        seen = Recurring(len(keys), len(records) * self._dtype.itemsize)
        seen.add(keys)
        return records[seen.among(keys)]

    def _bounds(self, total: int) -> list[int | None]:
        """Return exclusive upper bounds of the first field that cut all records into ranges of about a block."""
        samples = np.sort(np.concatenate(self._samples))
        pieces = max(-(-total // self._block), 1)
        cuts = samples[np.arange(1, pieces) * len(samples) // pieces]
        return [*np.unique(cuts).tolist(), None]


def _below(keys: npt.NDArray[np.uint64], bound: int | None) -> int:
    # Looks at few records of a run on disk, where `np.searchsorted` would make a copy of every key.
    return len(keys) if bound is None else bisect_left(keys, np.uint64(bound))


def repeated(blocks: Iterator[Records], fields: tuple[str, ...]) -> Iterator[tuple[Records, Starts]]:
    """Yield per block the records that share `fields` with another one, and where each such group starts."""
    for records in blocks:
        kept, starts = recurring_records(records, fields)
        if len(kept):
            yield kept, starts
