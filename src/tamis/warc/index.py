"""The column index of a crawl: which records to read, by language, MIME type, domain or status.

The columns are those of Common Crawl's cc-index table (https://commoncrawl.org/columnar-index). A selection is a table
of the same columns with the chosen rows alone; given to a run as its input, only their byte ranges are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.errors import InputError
from tamis.warc.manifest import Files, Source
from tamis.warc.pointer import POINTER

# What a selection keeps beside what points at a record, where the index has it.
KEPT = ("url", "fetch_status", "content_mime_detected", "content_languages")
_HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>[^/?#:]+)"


@dataclass(frozen=True, slots=True)
class Query:
    """What a record must be; an empty tuple asks for nothing.

    languages: ISO 639-3 codes as the index writes them (`fra`, `zho`), of which a page must have one.
    mimes: detected types, whole. statuses: HTTP statuses. domains: a host is of a domain when it is it or ends with it.
    """

    languages: tuple[str, ...] = ()
    mimes: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()

    def columns(self) -> list[str]:
        """Return the columns that deciding needs."""
        asked = {
            "content_languages": self.languages,
            "content_mime_detected": self.mimes,
            "url": self.domains,
            "fetch_status": self.statuses,
        }
        return [name for name, wanted in asked.items() if wanted]

    def matches(self, table: pa.Table) -> pa.ChunkedArray | pa.Array:
        """Return one boolean a row of a table that has `columns()`; null never matches."""
        found: pa.ChunkedArray | pa.Array = pa.chunked_array([pa.array([True] * table.num_rows)])
        if self.languages:
            one = "|".join(re.escape(code) for code in self.languages)
            found = pc.and_(found, pc.match_substring_regex(table["content_languages"], f"(^|,)({one})(,|$)"))
        if self.mimes:
            found = pc.and_(found, pc.is_in(table["content_mime_detected"], pa.array(self.mimes, pa.string())))
        if self.statuses:
            found = pc.and_(
                found, pc.is_in(table["fetch_status"].cast(pa.int64()), pa.array(self.statuses, pa.int64()))
            )
        if self.domains:
            found = pc.and_(found, self._of_domain(table["url"]))
        return pc.fill_null(found, False)

    def _of_domain(self, urls: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
        hosts = pc.utf8_lower(pc.struct_field(pc.extract_regex(urls, _HOST), "host"))
        one = "|".join(re.escape(domain.lower().strip(".")) for domain in self.domains)
        return pc.match_substring_regex(hosts, rf"(^|\.)({one})\.?$")


def select(sources: Iterable[Source], query: Query, files: Files) -> pa.Table:
    """Return the rows of an index that a query asks for, each once, by file and offset.

    Row group by row group: the columns the query needs, and the others only where a row matches. Raises InputError
    for a file that is no index, or lacks a column that the query needs.
    """
    found = []
    for source in sources:
        if source.problem:
            raise InputError(f"{source.name} {source.problem}.", "Check the path.")
        with files.open(source.uri) as stream:
            found += list(_chosen(stream, source.name, query))
    if not found:
        return pa.table({name: pa.array([], kind) for name, kind in _types().items()})
    table = pa.concat_tables(found, promote_options="default")
    table = table.group_by(list(POINTER)).aggregate([(name, "min") for name in KEPT])
    table = table.rename_columns([name.removesuffix("_min") for name in table.schema.names])
    return table.select(list(_types())).sort_by([(name, "ascending") for name in POINTER])


def _types() -> dict[str, pa.DataType]:
    text, number = pa.large_string(), pa.int64()
    kinds = (text, number, number, text, number, text, text)
    return dict(zip((*POINTER, *KEPT), kinds, strict=True))


def _chosen(stream: BinaryIO, name: str, query: Query) -> Iterator[pa.Table]:
    try:
        file = pq.ParquetFile(stream)
    except pa.ArrowInvalid as error:
        raise InputError(f"{name} is no Parquet file: {error}.", "Name the Parquet files of a column index.") from error
    needed = query.columns()
    lacking = [column for column in (*POINTER, *needed) if column not in file.schema_arrow.names]
    if lacking:
        raise InputError(f"{name} has no column {', '.join(lacking)}.", "Name the Parquet files of a column index.")
    kept = [*POINTER, *(column for column in KEPT if column in file.schema_arrow.names)]
    for group in range(file.num_row_groups):
        places = pc.indices_nonzero(query.matches(file.read_row_group(group, columns=needed or ["warc_filename"])))
        if len(places):
            yield _uniform(file.read_row_group(group, columns=kept).take(places))


def _uniform(table: pa.Table) -> pa.Table:
    """Return the table with every column of a selection, in its type; null where the index lacks one."""
    columns = {
        name: table[name].cast(kind) if name in table.schema.names else pa.nulls(table.num_rows, kind)
        for name, kind in _types().items()
    }
    return pa.table(columns)


@dataclass(frozen=True, slots=True)
class Pointer:
    """One record: the WARC file as the index names it, and its compressed bytes there."""

    name: str
    offset: int
    length: int


def pointers(stream: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[Pointer]:
    """Yield the rows [start, end) of an index or selection; nothing of other row groups is read."""
    file, before = pq.ParquetFile(stream), 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        first, last = max(start - before, 0), min(rows, rows if end is None else end - before)
        if first < last:
            table = file.read_row_group(group, columns=list(POINTER)).slice(first, last - first)
            columns = [table[name].to_pylist() for name in POINTER]
            yield from (Pointer(*row) for row in zip(*columns, strict=True))
        before += rows


def spans(stream: BinaryIO, unit_bytes: int) -> list[tuple[int, int | None]]:
    """Return the row ranges [start, end) of a selection whose records have about `unit_bytes` compressed bytes."""
    lengths = cast("list[int]", pq.read_table(stream, columns=["warc_record_length"])[0].to_pylist())
    cuts, held = [0], 0
    for row, length in enumerate(lengths):
        if held and held + length > unit_bytes:
            cuts.append(row)
            held = 0
        held += length
    ends: list[int | None] = [*cuts[1:], None]
    return list(zip(cuts, ends, strict=True))
