"""Shape: what carried columns look like in a stage's output, decided before the first row is written."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.columns import as_text, put
from tamis.errors import InputError
from tamis.pipeline.carry import REST, CarryingReader, rest_of, text_column, text_fields
from tamis.pipeline.storage import InputFiles
from tamis.schema import EXTRACTED, TEXT
from tamis.warc.manifest import Source

# What WARC records say beyond what every document has.
WARC_REST = pa.schema([EXTRACTED.field(name) for name in ("date", "title", "language", "language_score")])


class Shape:
    """Fits the REST of every batch to one form: a struct of `schema`, or JSON text where that is None."""

    def __init__(self, schema: pa.Schema | None) -> None:
        self.schema = schema

    def fit(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with its REST in this form; a struct of no fields is left out.

        Raises InputError where a value does not fit its column's type.
        """
        rest = batch.column(REST)
        if self.schema is None:
            return put(batch, REST, rest if rest.type == TEXT else as_text([_dump(row) for row in rest.to_pylist()]))
        if not len(self.schema):
            return batch.drop_columns([REST])
        try:
            arrays = _from_json(rest, self.schema) if rest.type == TEXT else _from_struct(rest, self.schema)
        except (pa.ArrowException, OverflowError) as error:
            raise InputError(f"A column cannot be carried: {error}.", "Write JSONL, which holds any value.") from error
        return put(batch, REST, pa.StructArray.from_arrays(arrays, fields=list(self.schema)))


def columns(sources: Iterable[Source], files: InputFiles, text_field: str, leave: frozenset[str]) -> pa.Schema:
    """Return the columns, other than id, URL and text, that sources have between them.

    JSONL is read through once for it. Where two sources, or two lines, do not agree on a type, numbers are widened;
    otherwise the column becomes text: strings as they are, other values as JSON.
    """
    types: dict[str, pa.DataType] = {}
    for source in sources:
        for name, kind in _fields(source, files, text_field, leave):
            types[name] = _unified(types[name], kind) if name in types else kind
    return pa.schema([(name, kind if _storable(kind) else TEXT) for name, kind in types.items()])


def _storable(kind: pa.DataType) -> bool:
    """Return whether Parquet can hold a type; strings are made large, and an object without keys has no column."""
    if pa.types.is_struct(kind):
        return bool(kind.num_fields) and all(_storable(each.type) or each.type == pa.string() for each in kind)
    if pa.types.is_list(kind):
        return _storable(kind.value_type) or kind.value_type == pa.string()
    return kind not in (pa.null(), pa.string())


def _fields(
    source: Source, files: InputFiles, text_field: str, leave: frozenset[str]
) -> Iterator[tuple[str, pa.DataType]]:
    if source.kind in ("warc", "ranges"):
        yield from ((field.name, field.type) for field in WARC_REST if field.name not in leave)
        return
    with files.open(source.uri) as stream:
        if source.kind == "jsonl":
            for batch in CarryingReader(stream, source.name, source.kind, text_field=text_field, leave=leave):
                yield from _inferred([json.loads(row) for row in batch.column(REST).to_pylist()])
        elif source.kind == "parquet":
            try:
                found = pq.read_schema(stream)
            except (pa.ArrowInvalid, OSError):
                return  # reading it will list the damage
            text = text_column(found, source.name, text_fields(text_field))
            yield from ((field.name, field.type) for field in rest_of(found, text, leave))


def _inferred(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, pa.DataType]]:
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        try:
            yield name, pa.array(values).type
        except (pa.ArrowException, OverflowError):
            yield name, TEXT


def _unified(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    schemas = [pa.schema([("", kind)]) for kind in (one, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return TEXT


def _from_json(rest: pa.Array, schema: pa.Schema) -> list[pa.Array]:
    rows = [json.loads(row) if row else {} for row in rest.to_pylist()]
    return [_typed([row.get(field.name) for row in rows], field.type) for field in schema]


def _from_struct(rest: pa.StructArray, schema: pa.Schema) -> list[pa.Array]:
    present = {rest.type.field(index).name for index in range(rest.type.num_fields)}
    return [
        _cast(rest.field(field.name), field.type) if field.name in present else pa.nulls(len(rest), field.type)
        for field in schema
    ]


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if values.type == kind:
        return values
    return values.cast(kind) if not pa.types.is_large_string(kind) else _typed(values.to_pylist(), kind)


def _typed(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_large_string(kind):
        return as_text([each if each is None or isinstance(each, str) else _dump(each) for each in values])
    return pa.array(values, kind)


def _dump(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return a value of a Parquet column as JSON can hold it: dates in ISO 8601, bytes in base64, NaN as null."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if value is None or isinstance(value, (str, int)) else str(value)
