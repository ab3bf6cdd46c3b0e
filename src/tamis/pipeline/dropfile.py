"""Drop file: the drops of a stage of any length, written as they come."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.pipeline.drops import Drops
from tamis.pipeline.settings import OutputSettings
from tamis.pipeline.storage import Sink
from tamis.schema import DROPPED

# Drops held at once, about 200 bytes each. A sample is chosen among the drops held together.
HELD_ROWS = 1 << 17


class DropFile(Drops):
    """Drops that go to `sink` as one row group whenever HELD_ROWS are together; use it as a context."""

    def __init__(self, settings: OutputSettings, sink: Sink) -> None:
        super().__init__(settings)
        self._writer = pq.ParquetWriter(sink, DROPPED, compression="zstd")

    def __enter__(self) -> DropFile:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def add(self, step: str, batch: pa.RecordBatch) -> None:
        """Add dropped documents as `Drops` does."""
        super().add(step, batch)
        if self._rows >= HELD_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self.table(), row_group_size=self._rows)
        self._batches, self._rows, self._chosen = [], 0, {}
