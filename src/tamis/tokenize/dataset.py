"""Write token shards: documents in, one Arrow file of `input_ids`, `id`, `language` and the way back out.

A shard's bytes depend on its documents alone, not on the batches they come in.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.columns import as_text, column, cut
from tamis.errors import BooksError
from tamis.tokenize.encode import Encoder
from tamis.tokenize.ipc import ShardFile
from tamis.tokenize.separate import Separator, separator

# A record batch is closed by the document that brings it to this many ids or rows: readers map batches whole.
BATCH_TOKENS = 1 << 20
BATCH_ROWS = 4096
# Texts are encoded in pieces of this size; 4 bytes of id per byte of text at worst.
_CALL_BYTES = 4 << 20
# One document in this many is encoded by the reference too, unless longer than _CHECK_BYTES.
_CHECK_EVERY = 1024
_CHECK_BYTES = 1 << 15


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """What a shard holds: `tokens` without separators, `bytes` of the file, `note` a warning or empty."""

    documents: int
    tokens: int
    separators: int
    bytes: int
    note: str = ""


def shard_schema(encoder: Encoder, policy: Separator) -> pa.Schema:
    """Return the one schema of all shards of a tokenizer and separator; its metadata `tamis` names both."""
    facts = {
        "tokenizer": encoder.checksum,
        "vocab_size": encoder.vocab_size,
        "before": policy.before,
        "after": policy.after,
    }
    return pa.schema(
        [
            pa.field("input_ids", pa.large_list(encoder.dtype)),
            pa.field("id", pa.large_string()),
            pa.field("language", pa.large_string()),
            pa.field("chars", pa.int64()),  # Unicode code points of the text
            pa.field("file", pa.int32()),  # where the document stands: documents file and row, null where not told
            pa.field("row", pa.int64()),
        ],
        metadata={"tamis": json.dumps(facts, sort_keys=True)},
    )


class ShardWriter:
    """Streams documents into one shard. `add` record batches of id, language, text (and file, row), then `close`."""

    def __init__(self, sink: BinaryIO, encoder: Encoder, policy: Separator) -> None:
        self._schema = shard_schema(encoder, policy)
        self._file = ShardFile(sink, self._schema)
        self._encoder, self._policy, self._note = encoder, policy, ""
        self._pending: list[pa.RecordBatch] = []
        self._ids = self._rows = 0  # held in _pending
        self._documents = self._tokens = self._separators = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Encode and write documents; a null text is an empty one."""
        for part in cut(batch, max_bytes=_CALL_BYTES):
            self._append(self._rows_of(part))

    def close(self) -> ShardSummary:
        """Write what is left and the footer. Raises BooksError where separators and documents disagree."""
        self._flush()
        self._file.close()
        if self._separators != self._documents * self._policy.per_document:
            raise BooksError(f"{self._separators} separators for {self._documents} documents.", "Report this defect.")
        return ShardSummary(self._documents, self._tokens, self._separators, self._file.written, self._note)

    def _rows_of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = as_text(batch.column("text"))
        lists = self._checked(batch.column("id"), texts)
        ids = lists.flatten().to_numpy()
        lengths, ids = self._policy.apply(np.diff(lists.offsets.to_numpy()), ids)
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        columns = {
            "input_ids": pa.LargeListArray.from_arrays(offsets, pa.array(ids, self._encoder.dtype)),
            "chars": pc.cast(pc.fill_null(pc.utf8_length(texts), 0), pa.int64()),
        }
        arrays = [columns[field.name] if field.name in columns else _told(batch, field) for field in self._schema]
        self._documents += len(lengths)
        self._tokens += len(lists.flatten())
        self._separators += self._policy.count(ids)
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _checked(self, names: pa.Array, texts: pa.LargeStringArray) -> pa.LargeListArray:
        """Return the ids of texts; where the reference disagrees on a sampled one, it takes over for this shard."""
        lists = self._encoder.encode(texts)
        if self._encoder.engine == "tokenizers":
            return lists
        rows = sampled(names, texts)
        if len(rows) and not self._encoder.encode_by_reference(texts.take(rows)).equals(lists.take(rows)):
            self._note = f"engine {self._encoder.engine} differs from tokenizers; tokenizers used instead"
            self._encoder = self._encoder.by_reference()
            return self._encoder.encode(texts)
        return lists

    def _append(self, batch: pa.RecordBatch) -> None:
        ends = batch.column("input_ids").offsets.to_numpy()[1:]
        start = done = 0
        while start < batch.num_rows:
            full = int(np.searchsorted(ends, done + BATCH_TOKENS - self._ids)) + 1
            end = min(full, start + BATCH_ROWS - self._rows, batch.num_rows)
            self._pending.append(batch.slice(start, end - start))
            self._ids += int(ends[end - 1]) - done
            self._rows += end - start
            start, done = end, int(ends[end - 1])
            if self._ids >= BATCH_TOKENS or self._rows >= BATCH_ROWS:
                self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._file.write(pa.concat_batches(self._pending))
        self._pending, self._ids, self._rows = [], 0, 0


def write_shard(
    sink: BinaryIO, batches: Iterator[pa.RecordBatch], encoder: Encoder, policy: Separator | str = "eos"
) -> ShardSummary:
    """Write the documents of `batches` (id, language, text; file and row where known) as one shard to `sink`.

    `policy` is "eos", "bos", "both", "none" or what `separator` returned. `sink` is left open.
    """
    writer = ShardWriter(sink, encoder, separator(encoder, policy))
    for batch in batches:
        writer.add(batch)
    return writer.close()


def recount(shard: pa.NativeFile | str) -> ShardSummary:
    """Return what a written shard holds by counting its ids again; `note` is empty.

    Raises BooksError where its separators are not exactly those of its documents.
    """
    source = pa.memory_map(shard) if isinstance(shard, str) else shard
    reader = pa.ipc.open_file(source)
    facts = json.loads(reader.schema.metadata[b"tamis"])
    policy = Separator(facts["before"], facts["after"])
    documents = ids = 0
    for index in range(reader.num_record_batches):
        lists = reader.get_batch(index).column("input_ids")
        values = lists.flatten().to_numpy()
        policy.check(len(lists), values)
        documents += len(lists)
        ids += len(values)
    separators = documents * policy.per_document
    return ShardSummary(documents, ids - separators, separators, source.size())


def sampled(names: pa.Array, texts: pa.LargeStringArray) -> pa.Int64Array:
    """Return the rows whose ids are compared with the reference: chosen by document id, so the same in any batch."""
    short = pc.less_equal(pc.binary_length(texts), _CHECK_BYTES).to_pylist()
    hashes = (zlib.crc32((name or "").encode()) for name in names.to_pylist())
    return pa.array([row for row, value in enumerate(hashes) if value % _CHECK_EVERY == 0 and short[row]], pa.int64())


def _told(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    values = column(batch, field.name)
    return pa.nulls(batch.num_rows, field.type) if values is None else values.cast(field.type)
