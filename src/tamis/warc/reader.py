"""Reading WARC files: every record or damaged stretch of a span yields exactly one `Record`, and none an exception."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from tamis.errors import unknown
from tamis.warc import codecs, exact, fast, message, whole
from tamis.warc.exact import Bounds, Cursor
from tamis.warc.layout import Layouts
from tamis.warc.oracle import WarcioReader
from tamis.warc.record import DAMAGED, MAX_PAYLOAD, Frame, Record

_FAR = 1 << 62
# How many members the exact reader covers before the fast lane is tried again; doubled while that gains nothing.
_PATIENCE = 2


class Reader:
    """Iterates over the records of a WARC or ARC whose member starts in [start, end) of a seekable, buffered stream.

    With start > 0, reading begins at the first readable record at or after it. Spans that cover a file therefore yield
    each record once, in whatever order they are read: check that one's `next_offset` is the next one's `first_offset`
    (a page that itself holds WARC data could mislead the search for a start).

    first_offset: where reading began; the file's size where there is nothing to read.
    next_offset: after iteration, the start of the first record at or after `end`, or the file's size.
    kind: how the file is compressed: gzip, zstd, plain, lz4, bz2 or empty.
    """

    def __init__(
        self, stream: BinaryIO, *, start: int = 0, end: int | None = None, max_payload: int = MAX_PAYLOAD
    ) -> None:
        self._stream = stream
        self._max_payload = max_payload
        self._early = ""
        self._layouts = Layouts()
        stream.seek(0)
        packed = codecs.packed(stream.read(8))
        if packed:
            self._stream, early = codecs.unpack(stream, packed)
            # The damage at its end is told once, by the span that reads it.
            self._early = "" if start else early
        size = self._stream.seek(0, 2)
        # A packed file cannot be entered in the middle: it belongs to the span that holds its first byte.
        stop = _FAR if end is None or packed else end
        # Headers and chunk sizes come on top of a payload of the largest size.
        self._bounds = Bounds(stop, size, max_payload + (1 << 20))
        self._codec = codecs.detect(self._stream, size)
        self.kind = packed or (self._codec.name if size else "empty")
        first = start if start == 0 else (size if packed else self._codec.find(self._stream, min(start, size), size))
        self.first_offset = first
        self.next_offset = first

    def __iter__(self) -> Iterator[Record]:
        """Yield the records in file order."""
        for frame in self._frames():
            yield message.to_record(frame, self._max_payload)

    def _frames(self) -> Iterator[Frame]:
        cursor = Cursor(self.first_offset)
        patience = _PATIENCE
        while cursor.boundary < min(self._bounds.size, self._bounds.end):
            before = cursor.boundary
            yield from self._fast(cursor)
            patience = _PATIENCE if cursor.boundary > before else min(2 * patience, 1024)
            yield from exact.frames(self._stream, self._codec, cursor, self._bounds, patience)
        # Damage may reach over the end: what follows it up to the next record is still this span's.
        if cursor.boundary > self.first_offset:
            yield from exact.frames(self._stream, self._codec, cursor, self._bounds)
        self.next_offset = min(cursor.boundary, self._bounds.size)
        if self._early:
            yield Frame(self._bounds.size, DAMAGED, problem=self._early, detail=f"{self.kind} data ends early")

    def _fast(self, cursor: Cursor) -> Iterator[Frame]:
        inflate = whole.inflater() if self._codec is codecs.GZIP else None
        if inflate is not None:
            cursor.boundary = yield from whole.frames(
                self._stream, cursor.boundary, self._bounds, self._layouts, inflate
            )
        elif self._codec in (codecs.GZIP, codecs.PLAIN):
            cursor.boundary = yield from fast.frames(
                self._stream, cursor.boundary, self._bounds, plain=self._codec.plain
            )


def open_reader(
    stream: BinaryIO,
    *,
    start: int = 0,
    end: int | None = None,
    max_payload: int = MAX_PAYLOAD,
    reader: str = "fastwarc",
) -> Reader | WarcioReader:
    """Return a reader by name: `fastwarc` (this project's, on top of FastWARC) or `warcio` (the reference)."""
    readers: dict[str, type[Reader | WarcioReader]] = {"fastwarc": Reader, "warcio": WarcioReader}
    if reader not in readers:
        raise unknown("reader", reader, readers)
    return readers[reader](stream, start=start, end=end, max_payload=max_payload)
