"""Ready-made text: Parquet, JSONL and plain files as batches of documents, for those who start in the middle."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from tamis.columns import as_text, byte_lengths
from tamis.errors import InputError
from tamis.schema import TEXT
from tamis.warc import zstd
from tamis.warc.repair import GZIP_MAGIC

TEXT_FIELDS = ("text", "content", "raw_content")
_BATCH_ROWS = 1024
_BATCH_BYTES = 16 << 20
_MAX_LINE = 256 << 20
_SKIP = 1 << 20
_MAX_TEXT = 1 << 30
_OPTIONAL = ("url", "date", "language")

_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is no document: its id, the reason (json, no_text, too_large, damaged, truncated), and detail."""

    id: str
    reason: str
    detail: str


class TextReader:
    """Iterates over batches of one source; what was no document stands in `problems` as far as was read.

    Batches have the columns id, url, date, text (all `large_string`; url and date may be null), bytes (int64, UTF-8
    length of text), and language where the source has one. An id is the source's own `id` where it has one, else
    `<name>:<row>` for Parquet and `<name>:<byte offset of the line>` for JSONL.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        kind: str,
        *,
        text_field: str = "text",
        start: int = 0,
        end: int | None = None,
    ) -> None:
        self.problems: list[Problem] = []
        self._stream = stream
        self._name = name
        self._kind = kind
        self._span = start, end
        self._fields = tuple(dict.fromkeys((text_field, *TEXT_FIELDS)))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches in file order. Raises InputError where no column of a Parquet file holds text."""
        if self._kind == "parquet":
            yield from self._parquet()
        elif self._kind == "jsonl":
            yield from self._batches(self._lines())
        else:
            yield from self._batches(self._whole())

    def _problem(self, position: object, reason: str, detail: str) -> None:
        self.problems.append(Problem(f"{self._name}:{position}", reason, detail[:500]))

    def _batches(self, rows: Iterator[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
        held: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            held.append(row)
            size += len(row["text"])
            if len(held) >= _BATCH_ROWS or size >= _BATCH_BYTES:
                yield _to_batch(held)
                held, size = [], 0
        if held:
            yield _to_batch(held)

    def _whole(self) -> Iterator[dict[str, Any]]:
        data = self._stream.read(_MAX_TEXT + 1)
        if len(data) > _MAX_TEXT:
            self._problem(0, "too_large", f"text of more than {_MAX_TEXT} bytes")
        elif data:
            yield {"id": f"{self._name}:0", "text": data.decode("utf-8-sig", "replace").replace("\x00", "")}

    def _lines(self) -> Iterator[dict[str, Any]]:
        source = _unpacked(self._stream)
        start, end = self._span if source is self._stream else (0, None)
        position = _line_start(source, start)
        while end is None or position < end:
            try:
                line = source.readline(_MAX_LINE)
                rest = _skip_line(source) if len(line) >= _MAX_LINE and not line.endswith(b"\n") else 0
            except _DAMAGE as error:
                self._problem(position, "truncated" if isinstance(error, EOFError) else "damaged", str(error))
                return
            if not line:
                return
            row = self._row(line, position)
            if row:
                yield row
            position += len(line) + rest

    def _row(self, line: bytes, position: int) -> dict[str, Any] | None:
        if not line.strip():
            return None
        if len(line) >= _MAX_LINE:
            self._problem(position, "too_large", f"line of more than {_MAX_LINE} bytes")
            return None
        try:
            row = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            self._problem(position, "json", str(error))
            return None
        text = _first(row, self._fields) if isinstance(row, dict) else None
        if text is None:
            self._problem(position, "no_text", f"none of {', '.join(self._fields)} is a string")
            return None
        found = {name: row[name] for name in _OPTIONAL if isinstance(row.get(name), str)}
        own = row.get("id")
        return {"id": str(own) if isinstance(own, str | int) else f"{self._name}:{position}", "text": text, **found}

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        try:
            file = pq.ParquetFile(self._stream)
        except (pa.ArrowInvalid, OSError) as error:
            self._problem(0, "damaged", str(error))
            return
        names = set(file.schema_arrow.names)
        field = next((name for name in self._fields if name in names), None)
        if field is None:
            raise InputError(
                f"{self._name!r} has no text column: it has {', '.join(sorted(names)[:20])}.",
                "Name the column that holds the text (text_field).",
            )
        wanted = [field, *(name for name in ("id", *_OPTIONAL) if name in names)]
        row = 0
        for group in range(file.num_row_groups):
            try:
                for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=wanted):
                    yield self._from_parquet(batch, field, row)
                    row += batch.num_rows
            except pa.ArrowNotImplementedError as error:
                raise InputError(f"{self._name!r}: column {field!r} or another holds no text: {error}.") from error
            except (pa.ArrowInvalid, OSError) as error:
                self._problem(row, "damaged", f"row group {group}: {error}")
                row = sum(file.metadata.row_group(index).num_rows for index in range(group + 1))

    def _from_parquet(self, batch: pa.RecordBatch, field: str, first: int) -> pa.RecordBatch:
        rows = batch.num_rows
        text = as_text(batch.column(field).cast(TEXT))
        for index in range(rows) if text.null_count else ():
            if not text[index].is_valid:
                self._problem(first + index, "no_text", f"{field} is null")
        numbered = pa.array([f"{self._name}:{first + index}" for index in range(rows)], TEXT)
        own = batch.column("id").cast(TEXT) if "id" in batch.schema.names else None
        columns = {
            "id": numbered if own is None else pa.compute.coalesce(own, numbered),
            "url": _column(batch, "url"),
            "date": _column(batch, "date"),
            "text": text,
            "bytes": pa.array(byte_lengths(text)),
        }
        if "language" in batch.schema.names:
            columns["language"] = _column(batch, "language")
        return pa.RecordBatch.from_pydict(columns).filter(text.is_valid())


def read_texts(
    stream: BinaryIO, name: str, kind: str, *, text_field: str = "text", start: int = 0, end: int | None = None
) -> TextReader:
    """Return the reader of a source of kind `parquet`, `jsonl` or `text`; see `TextReader`.

    [start, end) cuts uncompressed JSONL by bytes: a line belongs to the span it starts in.
    """
    return TextReader(stream, name, kind, text_field=text_field, start=start, end=end)


def _first(row: dict[str, Any], fields: Sequence[str]) -> str | None:
    return next((row[name] for name in fields if isinstance(row.get(name), str)), None)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows, TEXT)
    return batch.column(name).cast(TEXT)


def _to_batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    text = as_text([row["text"] for row in rows])
    columns = {name: as_text([row.get(name) for row in rows]) for name in ("id", "url", "date")}
    columns |= {"text": text, "bytes": pa.array(byte_lengths(text))}
    if any("language" in row for row in rows):
        columns["language"] = as_text([row.get("language") for row in rows])
    return pa.RecordBatch.from_pydict(columns)


def _unpacked(stream: BinaryIO) -> BinaryIO:
    """Return the stream, or a decompressing one where its magic number is gzip's or zstd's."""
    stream.seek(0)
    magic = stream.read(4)
    stream.seek(0)
    if magic.startswith(GZIP_MAGIC):
        return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
    if magic == zstd.MAGIC:
        return cast(BinaryIO, io.BufferedReader(zstd.Unpacked(stream), 1 << 20))
    return stream


def _skip_line(stream: BinaryIO) -> int:
    """Move behind the end of the line the stream is in; return the bytes passed over."""
    passed = 0
    while piece := stream.readline(_SKIP):
        passed += len(piece)
        if piece.endswith(b"\n"):
            break
    return passed


def _line_start(stream: BinaryIO, start: int) -> int:
    """Move to the first line that starts at or after `start`; return its offset."""
    if start == 0:
        return 0
    stream.seek(start - 1)
    return start - 1 + _skip_line(stream)
