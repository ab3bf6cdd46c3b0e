"""Candidates of one band: the buckets in which at least two documents of a scope share the band's key.

A bucket of n documents is n rows, never n²/2 pairs; which of them to compare is decided when they are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import document_ids, scope_hashes
from tamis.dedup.options import DedupOptions, band_names
from tamis.dedup.recurring import recurring
from tamis.dedup.sorting import Records, Starts
from tamis.dedup.spill import Sorter, repeated

_RECORD = np.dtype([("bucket", np.uint64), ("doc", np.uint64)])

_BATCH_ROWS = 1 << 18

BUCKETS = pa.schema(
    [
        pa.field("bucket", pa.uint64(), nullable=False),  # of one band and scope
        pa.field("doc", pa.uint64(), nullable=False),
        pa.field("band", pa.int16(), nullable=False),
    ]
)


def candidates(
    streams: Iterable[tuple[int, pa.RecordBatch]], band: int, options: DedupOptions, *, memory: int, scratch: Path
) -> Iterator[pa.RecordBatch]:
    """Yield the band's buckets of two documents and more as batches (`BUCKETS`), sorted by bucket and document.

    `streams` gives (unit, batch) with this band's column and, for scope "language", `language`; a unit's batches come
    in row order, units in any. It is walked twice where it can be, and then little more than what recurs is held. At
    most about `memory` bytes are sorted at once; runs are spilled to `scratch`. No bucket is parted between two
    batches. Null keys match nothing.
    """
    name = band_names(options)[band]
    seen = recurring(streams, lambda batch: bucket_keys(batch, name, options)[0], memory // 4)
    with Sorter(_RECORD, memory if seen is None else memory - memory // 4, scratch, chosen=seen is not None) as sorter:
        for doc, batch in document_ids(streams):
            keys, present = bucket_keys(batch, name, options)
            doc = doc if present is None else doc[present]
            pairs = np.stack([keys, doc], axis=1) if seen is None else seen.pairs(keys, doc)
            sorter.add(pairs.view(_RECORD).ravel())
        seen = None
        for records, starts in repeated(iter(sorter), ("bucket",)):
            for begin, end in _cuts(starts, len(records)):
                yield _batch(records[begin:end], band)


def bucket_keys(
    batch: pa.RecordBatch, name: str, options: DedupOptions
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64] | None]:
    """Return the valid keys of a column, told apart by scope, and the rows they are in; None: every row."""
    column = batch.column(name)
    present = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)) if column.null_count else None
    keys = (column if present is None else column.drop_null()).to_numpy()
    if options.scope != "global":
        scopes = scope_hashes(batch, options)
        keys = keys ^ (scopes if present is None else scopes[present])
    return keys, present


def _cuts(starts: Starts, rows: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of about _BATCH_ROWS that part no bucket, so that whoever reads a batch needs little memory."""
    begin = 0
    while begin < rows:
        place = int(np.searchsorted(starts, min(begin + _BATCH_ROWS, rows)))
        end = int(starts[place]) if place < len(starts) else rows
        yield begin, end
        begin = end


def _batch(records: Records, band: int) -> pa.RecordBatch:
    columns = [np.ascontiguousarray(records["bucket"]), np.ascontiguousarray(records["doc"])]
    return pa.record_batch([*columns, np.full(len(records), band, np.int16)], schema=BUCKETS)
