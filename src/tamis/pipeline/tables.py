"""Tables: the one file a stage writes its documents to, Parquet or JSONL by its suffix."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from tamis.errors import ConfigError, OutputError
from tamis.pipeline.carry import REST
from tamis.pipeline.storage import Sink, Storage
from tamis.schema import TEXT

SUFFIXES = (".parquet", ".jsonl.gz", ".jsonl.zst", ".jsonl")
ROW_GROUP_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """Where a stage writes: `name` below `folder`, and `dropped` beside it."""

    folder: str
    name: str
    suffix: str

    @property
    def typed(self) -> bool:
        """Whether the format needs every column's type before the first row."""
        return self.suffix == ".parquet"

    @property
    def dropped(self) -> str:
        """The name of the file that lists what was dropped."""
        return f"{self.name.removesuffix(self.suffix)}.dropped.parquet"

    @property
    def beside(self) -> str:
        """Where that file lies, as people name it."""
        return self.dropped if self.folder == "." else f"{self.folder.rstrip('/')}/{self.dropped}"

    @property
    def storage(self) -> Storage:
        """The folder as storage."""
        return Storage(self.folder)


def target(output: str, *, overwrite: bool) -> Target:
    """Return where `output` lies.

    Raises ConfigError where its suffix names no format, OutputError where it exists and is not to be replaced.
    """
    folder, slash, name = output.rpartition("/")
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix) and name != suffix), None)
    if suffix is None:
        raise ConfigError(f"{output!r} names no format this can write.", f"End it in one of {', '.join(SUFFIXES)}.")
    found = Target(folder or ("/" if slash else "."), name, suffix)
    if "://" not in output and Path(output).is_dir():
        raise OutputError(f"{output} is a folder.", "Name a file.")
    if found.storage.exists(name) and not overwrite:
        raise OutputError(f"{output} exists already.", "Name another file, or replace it with --overwrite.")
    return found


class Table(Protocol):
    """Takes batches with `id`, `url`, `text`, perhaps REST, and the columns the stage adds."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the documents of a batch."""


@contextmanager
def create(sink: Sink, suffix: str, rest: pa.Schema | None, added: pa.Schema) -> Iterator[Table]:
    """Open a table of the suffix's format on `sink`; `rest` are the carried columns, `added` the stage's own.

    JSONL leaves out a URL that is null.
    """
    if suffix == ".parquet":
        with ParquetTable(sink, rest or pa.schema([]), added) as table:
            yield table
        return
    with _packed(sink, suffix) as stream:
        yield JsonTable(stream, added.names)


class ParquetTable:
    """Gathers batches into row groups of about ROW_GROUP_BYTES of text, whatever batches they come in."""

    def __init__(self, sink: Sink, rest: pa.Schema, added: pa.Schema) -> None:
        first = [pa.field("id", TEXT, nullable=False), pa.field("url", TEXT)]
        names = {field.name for field in added}
        carried = [field for field in rest if field.name not in names]
        self.schema = pa.schema([*first, pa.field("text", TEXT, nullable=False), *carried, *added])
        self._carried = [field.name for field in carried]
        self._writer = pq.ParquetWriter(sink, self.schema, compression="zstd")
        self._held: list[pa.RecordBatch] = []
        self._size = 0

    def __enter__(self) -> ParquetTable:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the documents of a batch."""
        self._held.append(pa.RecordBatch.from_arrays([self._column(batch, f) for f in self.schema], schema=self.schema))
        self._size += pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0
        if self._size >= ROW_GROUP_BYTES:
            self._flush()

    def _column(self, batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
        values = batch.column(REST).field(field.name) if field.name in self._carried else batch.column(field.name)
        return values if values.type == field.type else values.cast(field.type)

    def _flush(self) -> None:
        if self._held:
            table = pa.Table.from_batches(self._held)
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._held, self._size = [], 0


class JsonTable:
    """Writes one JSON object a line: id, url, text, then what was carried as it was, then what the stage adds."""

    def __init__(self, stream: BinaryIO, added: list[str]) -> None:
        self._stream = stream
        self._added = added

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the documents of a batch."""
        rests = batch.column(REST).to_pylist()
        heads = batch.select(["id", "url", "text"]).to_pylist()
        tails = batch.select(self._added).to_pylist() if self._added else [{}] * batch.num_rows
        for head, rest, tail in zip(heads, rests, tails, strict=True):
            if head["url"] is None:
                del head["url"]
            parts = (_inside(_line(head)), _inside(rest or "{}"), _inside(_line(tail)))
            self._stream.write(f"{{{', '.join(part for part in parts if part)}}}\n".encode())


def _line(row: dict[str, Any]) -> str:
    finite = {name: None if value != value else value for name, value in row.items()}
    return json.dumps(finite, ensure_ascii=False)


def _inside(text: str) -> str:
    return text[1:-1]


@contextmanager
def _packed(sink: Sink, suffix: str) -> Iterator[BinaryIO]:
    """Open a compressing stream that leaves no trace of when or under which name it was written."""
    if suffix == ".jsonl.gz":
        with gzip.GzipFile(filename="", fileobj=cast(BinaryIO, sink), mode="wb", compresslevel=6, mtime=0) as packed:
            yield cast(BinaryIO, packed)
    elif suffix == ".jsonl.zst":
        with zstandard.ZstdCompressor(level=3).stream_writer(cast(BinaryIO, sink), closefd=False) as stream:
            yield cast(BinaryIO, stream)
    else:
        yield cast(BinaryIO, sink)
