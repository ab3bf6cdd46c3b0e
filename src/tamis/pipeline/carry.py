"""Carry: ready-made documents with all that their source says of them, so that a stage can hand it on unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.budget.ledger import Ledger
from tamis.columns import as_text
from tamis.errors import InputError
from tamis.pipeline.drops import Drops
from tamis.pipeline.settings import ReadSettings
from tamis.pipeline.texts import BATCH_ROWS, Texts
from tamis.warc.texts import TEXT_FIELDS, TextReader

# What a row says beyond its id, URL and text: JSON text from JSONL, a struct from Parquet.
REST = "rest"

_OWN = ("id", "url", "text")


class CarryingReader(TextReader):
    """A TextReader whose batches also have the column REST, without the keys in `leave`; all null where that is None.

    Unlike a TextReader it takes a text field that was asked for by name and no other.
    """

    def __init__(
        self, stream: BinaryIO, name: str, kind: str, *, text_field: str, leave: frozenset[str] | None
    ) -> None:
        super().__init__(stream, name, kind, text_field=text_field)
        self._fields = text_fields(text_field)
        self._leave = leave

    def _batches(self, rows: Iterator[dict[str, Any]]) -> Iterator[pa.RecordBatch]:
        rests: list[str | None] = []

        def aside() -> Iterator[dict[str, Any]]:
            for row in rows:
                rests.append(row.pop(REST, None))
                yield row

        for batch in super()._batches(aside()):
            yield batch.append_column(REST, as_text(rests[: batch.num_rows]))
            del rests[: batch.num_rows]

    def _row(self, line: bytes, position: int) -> dict[str, Any] | None:
        row = super()._row(line, position)
        if row is not None and self._leave is not None:
            every = json.loads(line.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))
            text = next(name for name in self._fields if isinstance(every.get(name), str))
            leave = {*_OWN, text, *self._leave}
            row[REST] = json.dumps({k: v for k, v in every.items() if k not in leave}, ensure_ascii=False)
        return row

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        try:
            file = pq.ParquetFile(self._stream)
        except (pa.ArrowInvalid, OSError) as error:
            self._problem(0, "damaged", str(error))
            return
        field = text_column(file.schema_arrow, self._name, self._fields)
        rest = [] if self._leave is None else rest_of(file.schema_arrow, field, self._leave).names
        own = [name for name in (field, *_OWN[:2], "language") if name in file.schema_arrow.names]
        wanted = list(dict.fromkeys((*own, *rest)))
        row = 0
        for group in range(file.num_row_groups):
            try:
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted):
                    yield self._carried(batch, field, rest, row)
                    row += batch.num_rows
            except (pa.ArrowInvalid, OSError) as error:
                self._problem(row, "damaged", f"row group {group}: {error}")
                row = sum(file.metadata.row_group(index).num_rows for index in range(group + 1))

    def _carried(self, batch: pa.RecordBatch, field: str, rest: list[str], row: int) -> pa.RecordBatch:
        try:
            made = self._from_parquet(batch.select([name for name in batch.schema.names if name != "date"]), field, row)
        except pa.ArrowNotImplementedError as error:
            raise InputError(
                f"{self._name!r} has an id, url, language or {field} that is not text: {error}.", "Make them strings."
            ) from error
        if not rest:
            return made.append_column(REST, pa.nulls(made.num_rows, pa.large_string()))
        others = pa.StructArray.from_arrays([batch.column(name) for name in rest], rest)
        return made.append_column(REST, others.filter(batch.column(field).is_valid()))


def text_fields(asked: str) -> tuple[str, ...]:
    """Return the keys that may hold the text: the one asked for, or, where that is the default, the usual ones."""
    return TEXT_FIELDS if asked == TEXT_FIELDS[0] else (asked,)


def text_column(schema: pa.Schema, name: str, fields: tuple[str, ...]) -> str:
    """Return the column of a Parquet file that holds its text. Raises InputError where none does."""
    found = next((field for field in fields if field in schema.names), None)
    if found is None:
        raise InputError(
            f"{name!r} has no text column: it has {', '.join(sorted(schema.names)[:20])}.",
            "Name the column that holds the text with --text-field.",
        )
    return found


def rest_of(schema: pa.Schema, text: str, leave: frozenset[str]) -> pa.Schema:
    """Return the columns of a Parquet file that are carried, in order."""
    return pa.schema([field for field in schema if field.name not in {*_OWN, text, *leave}])


class CarriedTexts(Texts):
    """Books the texts of one source as `Texts` does; its batches also have REST."""

    def __init__(
        self,
        stream: BinaryIO,
        shard: Mapping[str, Any],
        settings: ReadSettings,
        ledger: Ledger,
        drops: Drops,
        leave: frozenset[str] | None,
    ) -> None:
        super().__init__(stream, shard, settings, ledger, drops)
        self._reader = CarryingReader(stream, shard["name"], shard["kind"], text_field=settings.text_field, leave=leave)
