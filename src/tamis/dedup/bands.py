"""Candidates of one band: the buckets in which at least two documents of a scope share the band's key.

A bucket of n documents is n rows, never n²/2 pairs; which of them to compare is decided when they are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from tamis.dedup.documents import document_ids, scope_hashes
from tamis.dedup.options import DedupOptions, band_names
from tamis.dedup.spill import Records, Sorter, Starts, repeated

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
    in row order, units in any. At most about `memory` bytes are sorted at once; runs are spilled to `scratch`. No
    bucket is parted between two batches. Null keys match nothing.
    """
    name = band_names(options)[band]
    with Sorter(_RECORD, memory, scratch) as sorter:
        for doc, batch in document_ids(streams):
            keys = batch.column(name)
            present = np.flatnonzero(keys.is_valid().to_numpy(zero_copy_only=False))
            records = np.empty(len(present), _RECORD)
            values = keys.fill_null(0).to_numpy(zero_copy_only=False)
            records["bucket"] = (values ^ scope_hashes(batch, options))[present]
            records["doc"] = doc[present]
            sorter.add(records)
        for records, starts in repeated(iter(sorter), ("bucket",)):
            for begin, end in _cuts(starts, len(records)):
                yield _batch(records[begin:end], band)


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
