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
from tamis.dedup.sets import distinct
from tamis.dedup.shingle import composed, shingle_hashes

# Sets held before they are written by partition; a constant, so that the bytes written know no memory.
PIECE_BYTES = 32 << 20


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
    whole = pa.Table.from_batches(held).combine_chunks().to_batches()
    for batch in whole:
        parts = batch.column("part").to_numpy()
        order = np.argsort(parts, kind="stable")
        ordered = parts[order]
        rows = batch.drop_columns(["part"]).take(pa.array(order))
        begins = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])).tolist() if len(order) else []
        for begin, end in zip(begins, [*begins[1:], len(order)], strict=True):
            yield int(ordered[begin]), rows.slice(begin, end - begin)


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
