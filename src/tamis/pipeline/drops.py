"""Drops: what did not survive a unit, why, what was measured, and a bounded, seeded sample of the texts."""

from __future__ import annotations

import heapq

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from tamis.columns import column
from tamis.pipeline.settings import OutputSettings
from tamis.pipeline.storage import FileEntry, Storage
from tamis.schema import DROPPED

# A drop's sample is chosen after all drops are known; until then the chosen texts are held apart.
_PLAIN = pa.schema([field for field in DROPPED if field.name != "sample"])


class Drops:
    """Collects the dropped documents of one unit.

    Of each (step, language, reason) the `samples` documents with the smallest hash of their id keep the start of
    their text: the same ones whatever the batch size or arrival order.
    """

    def __init__(self, settings: OutputSettings) -> None:
        self._settings = settings
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._chosen: dict[tuple[str, str, str], list[tuple[int, int, str]]] = {}

    def add(self, step: str, batch: pa.RecordBatch) -> None:
        """Add dropped documents: `id`, `reason`, `bytes`, `chars`, `tokens`, and what else of DROPPED they have."""
        if batch.num_rows == 0:
            return
        arrays = [
            pa.array([step] * batch.num_rows, field.type)
            if field.name == "step"
            else _cast(column(batch, field.name), field, batch.num_rows)
            for field in _PLAIN
        ]
        self._sample(step, batch)
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=_PLAIN))
        self._rows += batch.num_rows

    def _sample(self, step: str, batch: pa.RecordBatch) -> None:
        texts = column(batch, "text")
        if texts is None or self._settings.samples == 0:
            return
        starts = pc.utf8_slice_codeunits(texts, 0, self._settings.sample_chars)
        keys = zip(batch.column("language").to_pylist(), batch.column("reason").to_pylist(), strict=True)
        for row, (key, ident) in enumerate(zip(keys, batch.column("id").to_pylist(), strict=True)):
            heap = self._chosen.setdefault((step, *key), [])
            rank = -xxhash.xxh3_64_intdigest(ident)
            if len(heap) < self._settings.samples:
                heapq.heappush(heap, (rank, self._rows + row, starts[row].as_py() or ""))
            elif rank > heap[0][0]:
                heapq.heapreplace(heap, (rank, self._rows + row, starts[row].as_py() or ""))

    def table(self) -> pa.Table:
        """Return the drops in the order in which they were added, schema `tamis.schema.DROPPED`."""
        table = pa.Table.from_batches(self._batches, _PLAIN)
        samples: list[str | None] = [None] * self._rows
        for heap in self._chosen.values():
            for _, row, text in heap:
                samples[row] = text
        place = DROPPED.get_field_index("sample")
        return table.add_column(place, DROPPED.field(place), pa.array(samples, DROPPED.field(place).type))

    def write(self, storage: Storage, path: str) -> FileEntry:
        """Write the drops as Parquet."""
        with storage.create(path) as sink:
            pq.write_table(self.table(), sink, compression="zstd")
            sink.rows = self._rows
        return sink.entry(path)


def _cast(values: pa.Array | None, field: pa.Field, rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(rows, field.type)
    return values if values.type == field.type else values.cast(field.type)
