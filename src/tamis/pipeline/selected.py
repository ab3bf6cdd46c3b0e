"""Selected: the records that a table of a crawl's column index points at, fetched range by range."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.errors import InputError
from tamis.pipeline.settings import ReadSettings
from tamis.pipeline.storage import InputFiles, Storage
from tamis.warc import index, ranges
from tamis.warc.manifest import Source, Span, located, resolve, route
from tamis.warc.record import Record

KIND = "ranges"
# So that a unit of a selection reads no more of it than its own rows.
GROUP_ROWS = 50_000


def selection(
    stream: BinaryIO, shard: Mapping[str, Any], settings: ReadSettings, files: InputFiles
) -> Iterator[tuple[str, Record]]:
    """Yield (WARC file as the index names it, record) for the rows [start, end) of a selection, in their order."""
    prefix = route(settings.crawl_data)

    @lru_cache(maxsize=64)
    def place(name: str) -> str:
        return _place(name, shard["uri"], prefix, files)

    def fetch(name: str, start: int, end: int) -> bytes:
        return files.read_range(place(name), start, end)

    rows = index.pointers(stream, shard["start"], shard["end"])
    return ranges.read(rows, fetch, max_payload=settings.max_payload)


def _place(name: str, selection: str, prefix: str | None, files: InputFiles) -> str:
    """Return where a WARC file lies: as a manifest's lines, beside the selection first, unless that is on a server."""
    beside = f"{selection.rpartition('/')[0] or '.'}/{name}"
    theirs = located(name, prefix)
    if "://" in name or name.startswith("/"):
        return theirs or name
    if theirs and ("://" in selection or files.size(beside) is None):
        return theirs
    return beside


def spans(source: Source, unit_bytes: int, files: InputFiles) -> list[Span]:
    """Return the row ranges of a selection whose records are about `unit_bytes` bytes each."""
    with files.open(source.uri) as stream:
        return [Span(source, start, end) for start, end in index.spans(stream, unit_bytes)]


def write(given: str, output: str, query: index.Query) -> tuple[int, int, int]:
    """Write the rows of an index that a query asks for as a selection; returns records, their bytes, and files.

    Raises InputError where there is no index, or no row matches, and OutputError where the selection cannot be written.
    """
    files = InputFiles(tempfile.gettempdir())
    table = index.select(resolve(given, files), query, files)
    if not table.num_rows:
        raise InputError(f"No record of {given} is asked for.", "Ask for less, or look at the index's own values.")
    folder, _, name = output.rpartition("/")
    with Storage(folder or ".").create(name) as sink:
        pq.write_table(table, sink, row_group_size=GROUP_ROWS, compression="zstd")
    size = int(pc.sum(table["warc_record_length"]).as_py())
    return table.num_rows, size, pc.count_distinct(table["warc_filename"]).as_py()
