"""Regrouping: shingle sets made once, in document order, and handed to each partition as one stream.

Without it, each partition would read the texts of its documents out of every unit: partitions times units small reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from tamis.columns import as_text
from tamis.dedup.documents import Docs
from tamis.dedup.options import DedupOptions
from tamis.dedup.sets import Numbers, Set, distinct
from tamis.dedup.shingle import composed, shingle_hashes
from tamis.text.kernel import kernel

# Sets held before they are written by partition; a constant, so that the bytes written know no memory.
PIECE_BYTES = 32 << 20

_SET = pa.large_list(pa.uint32())


def shingle_sets(texts: pa.Array, options: DedupOptions) -> pa.LargeListArray:
    """Return each text's distinct shingles, sorted, as `sign` stores them: large_list<uint32>, empty for a null."""
    offsets, hashes = shingle_hashes(composed(as_text(texts)), options)
    values, counts = distinct(offsets, hashes)
    return pa.LargeListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(counts)])), pa.array(values))


def regroup(batches: Iterable[pa.RecordBatch], piece: int = PIECE_BYTES) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (partition, rows) of batches that have a column `part`, which is left out; rows keep their order within
    their partition, and about `piece` bytes are held."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.nbytes for one in held) >= piece:
            yield from _parted(held)
            held = []
    if held:
        yield from _parted(held)


def _parted(held: list[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    parts = np.concatenate([batch.column("part").to_numpy() for batch in held])
    order = np.argsort(parts, kind="stable")
    ordered = parts[order]
    rows = pa.record_batch(
        {
            name: _ordered([batch.column(name) for batch in held], order)
            for name in held[0].schema.names
            if name != "part"
        }
    )
    begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])).tolist() if len(order) else []
    for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
        yield int(ordered[begin]), rows.slice(begin, end - begin)


def _ordered(columns: list[pa.Array], order: Numbers) -> pa.Array:
    """Return the rows of columns one after another in another order."""
    if columns[0].type != _SET:
        return pa.chunked_array(columns).combine_chunks().take(pa.array(order))
    sizes = np.concatenate([np.diff(column.offsets.to_numpy()) for column in columns])
    ends = np.concatenate([[0], np.cumsum(sizes[order])])
    begins = np.empty(len(order), np.int64)
    begins[order] = ends[:-1]
    values, first = np.empty(int(ends[-1]), np.uint32), 0
    for column in columns:
        # `flatten` begins where the column's first list does.
        _copy(
            column.flatten().to_numpy(), sizes[first : first + len(column)], begins[first : first + len(column)], values
        )
        first += len(column)
    return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(values))


@kernel
def _copy(values: Set, sizes: Numbers, begins: Numbers, out: Set) -> None:
    """Copy lists, one after another in `values`, to where each begins in `out`."""
    at = 0
    for row in range(len(sizes)):
        to = begins[row]
        for step in range(sizes[row]):
            out[to + step] = values[at + step]
        at += sizes[row]


class Regrouped:
    """Gives the rows of one partition by document number, as `resolve` asks for them: ascending, each once."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._rest: pa.RecordBatch | None = None

    def __call__(self, docs: Docs) -> pa.RecordBatch:
        """Return the next rows. Raises ValueError where they are not those asked for."""
        taken: list[pa.RecordBatch] = []
        missing = len(docs)
        while missing:
            batch = self._rest if self._rest is not None else next(self._batches, None)
            if batch is None:
                raise ValueError(f"regrouped sets end {missing} documents before their partition does")
            taken.append(batch.slice(0, missing))
            missing -= taken[-1].num_rows
            self._rest = batch.slice(taken[-1].num_rows) if taken[-1].num_rows < batch.num_rows else None
        found = pa.Table.from_batches(taken).combine_chunks().to_batches()[0]
        if not np.array_equal(found.column("doc").to_numpy(), docs):
            raise ValueError("regrouped sets are not in the order of their documents")
        return found
