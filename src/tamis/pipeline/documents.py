"""The documents step: a unit's survivors less its duplicates, in the form people read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.budget.ledger import Ledger
from tamis.columns import cut as cut_batch
from tamis.columns import put
from tamis.perplexity.reference import ALL
from tamis.pipeline import scoring
from tamis.pipeline.arrowfiles import sifted_path
from tamis.pipeline.drops import Drops
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.perplexity import BUCKET, book, bucket_tokens
from tamis.pipeline.repeats import LINES, cut, read_common
from tamis.pipeline.settings import Settings
from tamis.pipeline.shard import Shard
from tamis.pipeline.sift import survivors
from tamis.pipeline.storage import Sink, Storage
from tamis.pipeline.verified import opened
from tamis.schema import EXTRACTED

DOCUMENTS = "documents"
DEDUP = "dedup"

ROW_GROUP_BYTES = 64 << 20

# What the cluster step says of a unit's rows; `reason` is null for kept ones.
VERDICTS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("reason", pa.large_string()),
        pa.field("kept_id", pa.large_string()),
        pa.field("similarity", pa.float32()),
        pa.field("cluster_size", pa.int64(), nullable=False),
    ]
)


def dedup_steps(settings: Settings) -> list[str]:
    """Return the steps of the ledger that this step books."""
    if settings.dedup is None:
        return []
    return [DEDUP, LINES] if settings.dedup.lines is not None else [DEDUP]


def documents_path(unit: str) -> str:
    """Where a unit's final documents lie."""
    return f"documents/{unit}.parquet"


def schema(settings: Settings) -> pa.Schema:
    """Return the columns of `documents/*.parquet`, signals last."""
    fixed = [field for field in EXTRACTED if field.name not in ("source_bytes", "bytes", "chars", "tokens", "text")]
    names = EXTRACTED.names
    signals = [field for field in survivors(settings) if field.name not in (*names, BUCKET)]
    texts = [EXTRACTED.field(name) for name in ("text", "source_bytes", "bytes", "chars", "tokens")]
    made = [pa.field(BUCKET, pa.large_string()), pa.field("cluster_size", pa.int64())]
    return pa.schema([*fixed, *texts, *made, *signals, *scoring.fields(settings.scoring)])


@dataclass(frozen=True)
class Finish:
    """The work of a documents shard. Its payload has `verdicts`: the path of the verdict step's file, or None without
    deduplication, `index`: which of its batches is this unit's, and `lines`: the path of the lines to be cut."""

    settings: Settings
    storage: Storage

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Write one unit's documents; returns its receipt, whose facts list each language's row groups."""
        steps = [*dedup_steps(self.settings), *scoring.score_steps(self.settings.scoring)]
        ledger, drops = Ledger(steps), Drops(self.settings.output)
        judge = scoring.judge(self.settings.scoring, self.storage, shard.name)
        kept = self._cut(self._judge(shard, ledger, drops, judge), shard, ledger, drops)
        if judge is not None:
            kept = [judge.passed(batch, ledger, drops) for batch in kept]
        if self.settings.perplexity is not None:
            book(ledger, kept)
        with self.storage.create(documents_path(shard.name)) as sink:
            facts = self._write(kept, sink)
        files = [sink.entry(documents_path(shard.name))]
        if steps:
            files.append(drops.write(self.storage, f"dropped/{shard.name}-{DEDUP}.parquet"))
        return (Receipt(DOCUMENTS, shard.name, shard.fingerprint, tuple(ledger.rows()), tuple(files), facts),)

    def _judge(self, shard: Shard, ledger: Ledger, drops: Drops, judge: scoring.Judge | None) -> list[pa.RecordBatch]:
        verdicts = self._verdicts(shard)
        kept, start = [], 0
        with opened(self.storage, sifted_path(shard.name)) as file:
            reader = pa.ipc.open_file(file)
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                if judge is not None:
                    batch = judge.scored(batch, start)
                kept.append(self._split(batch, verdicts, start, ledger, drops))
                start += batch.num_rows
        return kept

    def _cut(self, batches: list[pa.RecordBatch], shard: Shard, ledger: Ledger, drops: Drops) -> list[pa.RecordBatch]:
        """Return the documents without the lines that many share, where the recipe has them cut."""
        options = self.settings.dedup.lines if self.settings.dedup else None
        lines = read_common(self.storage, shard.payload.get("lines"))
        if options is None or lines is None:
            return batches
        return [cut(batch, lines, options, self.settings, ledger, drops) for batch in batches]

    def _verdicts(self, shard: Shard) -> pa.RecordBatch:
        path = shard.payload["verdicts"]
        if path is None:
            return pa.RecordBatch.from_pylist([], schema=VERDICTS)
        with opened(self.storage, path) as file:
            return pa.ipc.open_file(file).get_batch(shard.payload["index"])

    def _split(
        self, batch: pa.RecordBatch, verdicts: pa.RecordBatch, start: int, ledger: Ledger, drops: Drops
    ) -> pa.RecordBatch:
        """Return the rows of a batch that stay; books and lists the others."""
        rows = verdicts.column("row").to_numpy()
        inside = slice(*np.searchsorted(rows, [start, start + batch.num_rows]).tolist())
        here = verdicts.slice(inside.start, inside.stop - inside.start)
        batch = _with_verdicts(batch, here, rows[inside] - start)
        stays = pc.is_null(batch.column("reason"))
        kept, dropped = batch.filter(stays), batch.filter(pc.invert(stays))
        if self.settings.dedup:
            ledger.book_batch(DEDUP, "in", batch)
            ledger.book_batch(DEDUP, "kept", kept)
            ledger.book_batch(DEDUP, "dropped", dropped)
            drops.add(DEDUP, dropped)
        return kept

    def _write(self, batches: list[pa.RecordBatch], sink: Sink) -> dict[str, Any]:
        """Write documents by language, then record order, so that a language is read without the others."""
        target = schema(self.settings)
        languages = sorted({code for batch in batches for code in batch.column("language").unique().to_pylist()})
        facts: dict[str, Any] = {}
        group = 0
        with pq.ParquetWriter(sink, target, compression="zstd", write_page_index=True) as writer:
            for code in languages:
                first, documents, tokens = group, 0, 0
                buckets: dict[str, int] = {}
                for part in _of_language(batches, code):
                    writer.write_batch(part.select(target.names).cast(target), row_group_size=part.num_rows)
                    group += 1
                    documents += part.num_rows
                    tokens += pc.sum(part.column("tokens")).as_py()
                    for name, count in bucket_tokens(part).items():
                        buckets[name] = buckets.get(name, 0) + count
                facts[code] = {"documents": documents, "tokens": tokens, "groups": [first, group]}
                if self.settings.perplexity is not None:
                    facts[code]["buckets"] = buckets
                sink.rows += documents
        return {"languages": facts}


def _with_verdicts(batch: pa.RecordBatch, verdicts: pa.RecordBatch, rows: Any) -> pa.RecordBatch:
    """Return the batch with columns `reason`, `kept_id`, `similarity`, `cluster_size` and `bucket`."""
    place = np.full(batch.num_rows, -1, np.int64)
    place[rows] = np.arange(len(rows))
    index = pa.array(place, mask=place < 0)
    for name in ("reason", "kept_id", "similarity"):
        batch = put(batch, name, verdicts.column(name).take(index))
    batch = put(batch, "cluster_size", pc.fill_null(verdicts.column("cluster_size").take(index), 1))
    if batch.schema.get_field_index(BUCKET) >= 0:
        return batch
    return put(batch, BUCKET, pa.array([ALL] * batch.num_rows, pa.large_string()))


def _of_language(batches: list[pa.RecordBatch], code: str) -> Iterator[pa.RecordBatch]:
    """Yield a language's rows in order, gathered into parts of about ROW_GROUP_BYTES of text."""
    parts = [batch.filter(pc.equal(batch.column("language"), code)) for batch in batches]
    table = pa.Table.from_batches([part for part in parts if part.num_rows]).combine_chunks()
    for batch in table.to_batches():
        yield from cut_batch(batch, max_bytes=ROW_GROUP_BYTES, max_rows=1 << 20)
