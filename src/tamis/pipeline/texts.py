"""Texts: ready-made documents from Parquet, JSONL or plain files, booked like pages so that the rest is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from tamis.budget.ledger import Amount, Ledger
from tamis.columns import cut
from tamis.pipeline.care import Care
from tamis.pipeline.drops import Drops
from tamis.pipeline.pages import flush_rejected
from tamis.pipeline.settings import ReadSettings
from tamis.schema import UNDETERMINED
from tamis.warc.texts import TextReader

STEP = "read"
BATCH_BYTES = 8 << 20
BATCH_ROWS = 1024


class Texts:
    """Reads the texts of one source and books each; iterating yields batches with `id`, `url`, `date`, `text` and
    `source_bytes`. A row without text is dropped as `empty`, a line that does not parse as the reader says."""

    def __init__(
        self,
        stream: BinaryIO,
        shard: Mapping[str, Any],
        settings: ReadSettings,
        ledger: Ledger,
        drops: Drops,
        care: Care | None = None,
    ) -> None:
        self._reader = TextReader(
            stream,
            shard["name"],
            shard["kind"],
            text_field=settings.text_field,
            start=shard["start"],
            end=shard["end"],
        )
        self._ledger = ledger
        self._drops = drops
        self._care = care or Care()

    @property
    def ends_early(self) -> int | None:
        """Where the file ends inside a row, in bytes or rows of what is unpacked, if it does; known when it is read."""
        cut_at = [problem.id.rpartition(":")[2] for problem in self._reader.problems if problem.reason == "truncated"]
        return int(cut_at[-1]) if cut_at else None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._care.one_by_one(iter(self._reader)):
            for part in cut(batch, max_bytes=BATCH_BYTES, max_rows=BATCH_ROWS):
                yield self._book(part)
        self._set_aside([(f"{problem.id}", problem.reason, problem.detail, 0) for problem in self._reader.problems])

    def _book(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        batch = batch.rename_columns(["source_bytes" if name == "bytes" else name for name in batch.schema.names])
        blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(batch.column("text"))), 0)
        self._set_aside([(row["id"], "empty", None, row["source_bytes"]) for row in batch.filter(blank).to_pylist()])
        kept, poison = self._care.split(batch.filter(pc.invert(blank)))
        self._set_aside([(row["id"], row["reason"], None, row["source_bytes"]) for row in poison.to_pylist()])
        amount = Amount(kept.num_rows, pc.sum(kept.column("source_bytes")).as_py() or 0)
        self._ledger.book(STEP, UNDETERMINED, "in", amount)
        self._ledger.book(STEP, UNDETERMINED, "kept", amount)
        return kept

    def _set_aside(self, rows: list[tuple[str, str, str | None, int]]) -> None:
        for _, reason, _, size in rows:
            self._ledger.book(STEP, UNDETERMINED, "in", Amount(1, size))
            self._ledger.book(STEP, UNDETERMINED, "dropped", Amount(1, size), reason)
        flush_rejected(
            self._drops,
            STEP,
            [
                {"id": ident, "language": UNDETERMINED, "reason": reason, "detail": detail}
                | {"bytes": size, "chars": 0, "tokens": 0}
                for ident, reason, detail, size in rows
            ],
        )
