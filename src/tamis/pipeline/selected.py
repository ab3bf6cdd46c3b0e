"""Selected: the records that a table of a crawl's column index points at, fetched range by range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO

from tamis.pipeline.settings import ReadSettings
from tamis.pipeline.storage import InputFiles
from tamis.warc import index, ranges
from tamis.warc.manifest import Source, Span, located, route
from tamis.warc.record import Record

KIND = "ranges"


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
