"""The tokenize step: each language's documents, in manifest order, as shards of token ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.budget.ledger import Amount, Ledger
from tamis.errors import BooksError
from tamis.pipeline import models
from tamis.pipeline.documents import documents_path
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.perplexity import BUCKET, UNSCORED
from tamis.pipeline.settings import Settings
from tamis.pipeline.shard import Shard
from tamis.pipeline.step import Step
from tamis.pipeline.storage import Storage
from tamis.tokenize import separate
from tamis.tokenize.dataset import ShardSummary, recount, write_shard
from tamis.tokenize.folder import dataset_files
from tamis.tokenize.shards import ShardSpan, plan_shards

TOKENIZE = "tokenize"
Rows = npt.NDArray[np.int64]
_COLUMNS = ["id", "language", "text", "bytes", "chars", "tokens"]


def shard_path(language: str, span: ShardSpan, bucket: str | None = None) -> str:
    """Where a language's shard lies, or that of one of its buckets."""
    return f"tokens/{language}/{span.name}" if bucket is None else f"tokens/{language}/{bucket}/{span.name}"


def separator(settings: Settings) -> separate.Separator:
    """Return the recipe's separator policy. Raises ConfigError where the tokenizer has no such token."""
    return separate.separator(models.encoder(settings.tokenize.tokenizer), settings.tokenize.separator)


def shards(step: Step, documents: Sequence[Receipt], settings: Settings) -> list[Shard]:
    """Return the token shards of a run whose documents are finished; `documents` are in manifest order."""
    languages = sorted({code for receipt in documents for code in receipt.facts["languages"]})
    return [shard for code in languages for shard in _of_language(step, documents, code, settings)]


def _of_language(step: Step, documents: Sequence[Receipt], code: str, settings: Settings) -> Iterator[Shard]:
    having = [(index, each) for index, each in enumerate(documents) if code in each.facts["languages"]]
    facts = [each.facts["languages"][code] for _, each in having]
    for bucket in _buckets(facts, settings):
        tokens = [fact["tokens"] if bucket is None else fact["buckets"].get(bucket, 0) for fact in facts]
        for span in plan_shards(tokens, settings.tokenize.shard_tokens):
            picked = slice(span.first_unit, span.last_unit + 1)
            units = [
                {"unit": each.shard, "index": index, "groups": fact["groups"]}
                for (index, each), fact in zip(having[picked], facts[picked], strict=True)
            ]
            inputs = [code, str(span), *(each.fingerprint for _, each in having[picked])]
            payload = {"language": code, "span": asdict(span), "units": units}
            if bucket is None:
                yield Shard(TOKENIZE, f"{code}-{span.number:05d}", step.of(inputs), payload)
            else:
                name = f"{code}-{bucket}-{span.number:05d}"
                yield Shard(TOKENIZE, name, step.of([*inputs, bucket]), payload | {"bucket": bucket})


def _buckets(facts: Sequence[Mapping[str, Any]], settings: Settings) -> list[str | None]:
    """Return the buckets of a language's documents, each to be its own dataset; None is all of them in one."""
    if not settings.tokenize.by_bucket:
        return [None]
    return sorted({name for fact in facts for name in fact["buckets"]})


@dataclass(frozen=True)
class Tokenize:
    """The work of a tokenize shard. Its payload has `language`, the `span` of it, and `units`: which documents files,
    and which row groups in them, the span's documents lie in; and `bucket` where the span is one of a bucket."""

    settings: Settings
    storage: Storage

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Write one shard; its ledger fails to balance where the ids are not as many as were counted at extraction."""
        code, span = shard.payload["language"], ShardSpan(**shard.payload["span"])
        bucket = shard.payload.get("bucket")
        path = shard_path(code, span, bucket)
        encoder = models.encoder(self.settings.tokenize.tokenizer)
        taken = _Taken()
        with self.storage.create(path) as sink:
            batches = taken.through(self._documents(span, shard.payload["units"], bucket))
            summary = write_shard(cast(BinaryIO, sink), batches, encoder, separator(self.settings))
            sink.rows = summary.documents
        read_back(self.storage, path, summary)
        ledger = Ledger([TOKENIZE])
        ledger.book(TOKENIZE, code, "in", taken.amount)
        kept = Amount(summary.documents, taken.amount.bytes, taken.amount.chars, summary.tokens)
        ledger.book(TOKENIZE, code, "kept", kept)
        facts = {
            "languages": {code: {"documents": summary.documents, "tokens": summary.tokens}},
            "shard": asdict(summary),
        }
        files = (sink.entry(path),)
        return (Receipt(TOKENIZE, shard.name, shard.fingerprint, tuple(ledger.rows()), files, facts),)

    def _documents(
        self, span: ShardSpan, units: Sequence[Mapping[str, Any]], bucket: str | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the span's documents with the documents file (`file`) and row (`row`) each came from."""
        for place, unit in enumerate(units, span.first_unit):
            with self.storage.open(documents_path(unit["unit"])) as file:
                parquet = pq.ParquetFile(file)
                groups = range(*unit["groups"])
                rows, tokens = _rows(parquet, groups, bucket)
                rows = rows[slice(*span.rows(place, tokens))]
                before = sum(parquet.metadata.row_group(group).num_rows for group in range(groups.start))
                start = 0
                for group in groups:
                    end = start + parquet.metadata.row_group(group).num_rows
                    here = rows[slice(*np.searchsorted(rows, [start, end]).tolist())]
                    if len(here):
                        table = parquet.read_row_group(group, columns=_COLUMNS).take(pa.array(here - start))
                        yield _located(table, unit["index"], before + here)
                    start = end


def _rows(parquet: pq.ParquetFile, groups: range, bucket: str | None) -> tuple[Rows, Rows]:
    """Return the rows of a bucket's documents, counted from the first of the groups, and their tokens; None is all."""
    tokens = parquet.read_row_groups(groups, columns=["tokens"]).column("tokens").to_numpy()
    rows = np.arange(len(tokens))
    if bucket is not None:
        names = pc.fill_null(parquet.read_row_groups(groups, columns=[BUCKET]).column(BUCKET), UNSCORED)
        rows = np.flatnonzero(pc.equal(names, bucket).to_numpy())
    return rows, tokens[rows]


def _located(table: pa.Table, file: int, rows: Rows) -> pa.RecordBatch:
    batch = table.combine_chunks().to_batches()[0]
    batch = batch.append_column("file", pa.array(np.full(batch.num_rows, file, np.int32)))
    return batch.append_column("row", pa.array(rows, pa.int64()))


def read_back(storage: Storage, path: str, summary: ShardSummary) -> None:
    """Count a written shard's ids again, from its bytes. Raises BooksError where they are not what was counted."""
    with storage.open(path) as file:
        found = replace(recount(file), note=summary.note)
    if found != summary:
        raise BooksError(f"{path} holds {found}, but {summary} was written.", "The shard is not published.")


class _Taken:
    """Counts what passes, as the documents' own columns have it."""

    def __init__(self) -> None:
        self.amount = Amount()

    def through(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            sums = (pc.sum(batch.column(name)).as_py() for name in ("bytes", "chars", "tokens"))
            self.amount += Amount(batch.num_rows, *sums)
            yield batch


def folder_files(settings: Settings, receipts: Sequence[Receipt]) -> dict[str, bytes]:
    """Return the `dataset_info.json` and `state.json` of every language's or bucket's folder, by path."""
    folders: dict[str, list[tuple[str, ShardSummary]]] = {}
    for receipt in receipts:
        if receipt.step == TOKENIZE:
            folder, _, name = receipt.files[0].path.rpartition("/")
            folders.setdefault(folder, []).append((name, ShardSummary(**receipt.facts["shard"])))
    encoder, policy = models.encoder(settings.tokenize.tokenizer), separator(settings)
    return {
        f"{folder}/{name}": data
        for folder, summaries in folders.items()
        for name, data in dataset_files(folder.split("/", 1)[1], summaries, encoder, policy).items()
    }


def notes(receipts: Sequence[Receipt]) -> list[str]:
    """Return what shards had to say, such as a switch to the reference tokenizer."""
    return [
        f"{receipt.shard}: {receipt.facts['shard']['note']}"
        for receipt in receipts
        if receipt.step == TOKENIZE and receipt.facts["shard"]["note"]
    ]
