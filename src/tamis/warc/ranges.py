"""Ranges: single records out of many WARC files, each by its byte range, near ones in one request."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tamis.warc.index import Pointer
from tamis.warc.reader import Reader
from tamis.warc.record import DAMAGED, MAX_PAYLOAD, Record

# A request costs a round trip, in which a connection carries more than this.
GAP = 256 << 10
# What one request brings at most, unless a single record is larger.
MOST = 16 << 20

# (file as the index names it, first byte, end) -> bytes, fewer where the file ends before.
Fetch = Callable[[str, int, int], bytes]


@dataclass(slots=True)
class Block:
    """Neighbouring records of one file, fetched together: the bytes [start, end)."""

    name: str
    start: int
    end: int
    pointers: list[Pointer] = field(default_factory=list)


def coalesce(pointers: Iterable[Pointer], gap: int = GAP, most: int = MOST) -> Iterator[Block]:
    """Yield the requests for pointers in file and offset order: more than `gap` bytes apart, of `most` at most."""
    block: Block | None = None
    for each in pointers:
        end = each.offset + each.length
        near = block and block.name == each.name and block.start <= each.offset <= block.end + gap
        if not (block and near and end - block.start <= most):
            if block:
                yield block
            block = Block(each.name, each.offset, end)
        block.pointers.append(each)
        block.end = max(block.end, end)
    if block:
        yield block


def read(pointers: Iterable[Pointer], fetch: Fetch, *, max_payload: int = MAX_PAYLOAD) -> Iterator[tuple[str, Record]]:
    """Yield (file, record) for every pointer, in their order; offsets are those in the file.

    A range without a whole record yields one `damaged` record; so does one of a file that is not there, `missing`.
    """
    for block in coalesce(pointers):
        try:
            data = fetch(block.name, block.start, block.end)
        except FileNotFoundError:
            for each in block.pointers:
                yield each.name, Record(each.offset, DAMAGED, problem="missing", detail=f"no such file: {each.name}")
            continue
        for each in block.pointers:
            first = each.offset - block.start
            for record in _records(data[first : first + each.length], each, max_payload):
                yield each.name, record


def _records(data: bytes, pointer: Pointer, max_payload: int) -> Iterator[Record]:
    if len(data) < pointer.length:
        detail = f"the file ends after {len(data)} of {pointer.length} bytes"
        yield Record(pointer.offset, DAMAGED, problem="truncated", detail=detail)
        return
    for record in Reader(io.BytesIO(data), max_payload=max_payload):
        yield record._replace(offset=pointer.offset + record.offset)
