"""Document numbers inside deduplication: the unit of work in the high 32 bits, the row in it in the low 32."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from tamis.dedup.options import DedupOptions

Docs = npt.NDArray[np.uint64]
Stream = Iterable[tuple[int, pa.RecordBatch]]

_ROW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def pack(unit: int, rows: npt.NDArray[np.integer]) -> Docs:
    """Return the document numbers of rows of one unit, uint64; their order is unit order, then row order."""
    return np.uint64(unit << 32) | rows.astype(np.uint64)


def units_of(docs: Docs) -> npt.NDArray[np.int64]:
    """Return each document's unit."""
    return (docs >> _32).astype(np.int64)


def rows_of(docs: Docs) -> npt.NDArray[np.int64]:
    """Return each document's row within its unit."""
    return (docs & _ROW).astype(np.int64)


def document_ids(streams: Stream) -> Iterator[tuple[Docs, pa.RecordBatch]]:
    """Yield (document numbers, batch); a unit's batches come in row order, units in any order, even interleaved.

    A batch with a `row` column says its rows itself.
    """
    seen: dict[int, int] = {}
    for unit, batch in streams:
        first = seen.get(unit, 0)
        seen[unit] = first + batch.num_rows
        if "row" in batch.schema.names:
            yield pack(unit, batch.column("row").to_numpy(zero_copy_only=False)), batch
        else:
            yield pack(unit, np.arange(first, first + batch.num_rows)), batch


def scope_hashes(batch: pa.RecordBatch, options: DedupOptions) -> npt.NDArray[np.uint64]:
    """Return what is mixed into a row's keys so that only rows of one scope agree, shape (n,), uint64."""
    if options.scope == "global":
        return np.zeros(batch.num_rows, np.uint64)
    languages = batch.column("language").dictionary_encode()
    names = [*languages.dictionary.to_pylist(), ""]
    hashes = np.array([xxhash.xxh3_64_intdigest(name or "") for name in names], np.uint64)
    codes = languages.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
    of_rows: npt.NDArray[np.uint64] = hashes[codes]
    return of_rows
