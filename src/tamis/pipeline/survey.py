"""Survey: what share of the documents share buckets, as far as signatures are there, before any step looks at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.bands import bucket_keys
from tamis.dedup.estimate import Overlap
from tamis.dedup.exact import first_halves
from tamis.dedup.options import DedupOptions, band_names
from tamis.dedup.sorting import Starts, recurring_records, sorted_records
from tamis.pipeline.arrowfiles import signatures_path
from tamis.pipeline.storage import Storage

# Documents whose signatures are read, by whole units spread evenly; below the least, shares say little.
MOST, LEAST = 1_000_000, 1000

_RECORD = np.dtype([("key", np.uint64), ("row", np.uint64)])

Rows = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]
KeysOf = Callable[[pa.RecordBatch], tuple[Keys, Rows | None]]


def survey(storage: Storage, units: Sequence[str], documents: int, options: DedupOptions) -> Overlap | None:
    """Return the overlap among `documents`, of which those of `units` are signed; None where these are too few to tell.

    Of a part of the documents fewer meet than of all: how many more is carried on from how many fewer meet of half the
    part, as a power of their number.
    """
    signed = _Signed(storage, _spread(storage, units), options)
    count = signed.count()
    if count < LEAST:
        return None
    bands = band_names(options)
    copy, found, left = (np.zeros(count, np.bool_) for _ in range(3))
    copy[signed.copies()] = True
    met, met_left, last = 0, 0, np.empty(0, np.int64)
    for name in bands:
        last, starts = signed.recurring(name)
        found[last] = True
        # What is left of a bucket when exact copies are gone is resolved if it is more than one document.
        stays = ~copy[last]
        sizes = np.add.reduceat(stays, starts) if len(starts) else starts
        stays &= np.repeat(sizes, np.diff(np.append(starts, len(last)))) > 1
        left[last[stays]] = True
        met, met_left = met + len(last), met_left + int(stays.sum())
    shared = int(found.sum())
    if not shared:
        return Overlap(0.0, 0.0, 0.0, 0.0)
    half = count // 2
    fewer = len(signed.recurring(bands[-1], half)[0])
    growth = math.log2(max(len(last) / count, 1e-9) / max(fewer / half, 1e-9))
    more = (max(documents, count) / count) ** min(max(growth, 0.0), 1.0)
    rows = shared * len(bands)
    return Overlap(min(shared / count * more, 0.95), met / rows, int(left.sum()) / shared, met_left / rows)


def _spread(storage: Storage, units: Sequence[str]) -> list[str]:
    """Return units spread evenly that have about MOST documents."""
    sizes = storage.sizes("signatures")
    there = [unit for unit in units if signatures_path(unit) in sizes]
    if not there:
        return []
    with storage.open(signatures_path(there[0])) as file:
        first = sum(batch.num_rows for batch in _batches(file, ["shingles"]))
    wanted = max(MOST // max(first, 1), 1)
    step = max(len(there) // wanted, 1)
    return there[::step][:wanted]


@dataclass(frozen=True, slots=True)
class _Signed:
    """The signatures of some units, one column at a time."""

    storage: Storage
    units: Sequence[str]
    options: DedupOptions

    def count(self) -> int:
        """Return how many there are."""
        return sum(batch.num_rows for batch in self._batches(["shingles"]))

    def recurring(self, band: str, rows: int | None = None) -> tuple[Rows, Starts]:
        """Return which of the first `rows` share a key of a band, those of one key together, and where each begins."""
        return self._recurring(["language", band], lambda batch: bucket_keys(batch, band, self.options), rows)

    def copies(self) -> Rows:
        """Return which are exact copies of one before."""
        columns = ["language", "exact"]
        found, starts = self._recurring(columns, lambda batch: first_halves(batch, self.options), None)
        return np.delete(found, starts)

    def _recurring(self, columns: list[str], keys_of: KeysOf, rows: int | None) -> tuple[Rows, Starts]:
        pieces, begin = [np.empty((0, 2), np.uint64)], 0
        for batch in self._batches(columns):
            keys, present = keys_of(batch)
            places = begin + (np.arange(batch.num_rows) if present is None else present)
            pieces.append(np.stack([keys, places.astype(np.uint64)], axis=1))
            begin += batch.num_rows
        pairs = np.concatenate(pieces)
        pairs = pairs if rows is None else pairs[pairs[:, 1] < rows]
        records, starts = recurring_records(sorted_records(pairs.view(_RECORD).ravel()), ("key",))
        return records["row"].astype(np.int64), starts

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        for unit in self.units:
            with self.storage.open(signatures_path(unit)) as file:
                yield from _batches(file, columns)


def _batches(file: pa.NativeFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    schema = pa.ipc.open_file(file).schema
    fields = [schema.get_field_index(name) for name in columns]
    reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=fields))
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)
