"""The reference reader: warcio behind the same `Record` interface, slow and plain, for comparison."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from tamis.warc import header, message
from tamis.warc.record import DAMAGED, MAX_PAYLOAD, Frame, Record


def read_warcio(stream: BinaryIO, *, max_payload: int = MAX_PAYLOAD) -> Iterator[Record]:
    """Yield the records of a whole file as warcio frames them; where it fails, one `damaged` record and the end.

    Bodies are decoded by the same code as in `Reader`, so that only the framing is compared.
    """
    from warcio.archiveiterator import ArchiveIterator

    iterator = ArchiveIterator(stream, no_record_parse=True)
    offset = 0
    try:
        for record in iterator:
            frame = _frame(record)
            # warcio skips the rest of the record to tell its offset, so the block is read before.
            offset = frame.offset = iterator.get_record_offset()
            yield message.to_record(frame, max_payload)
    except Exception as error:  # warcio lets whatever its parsers raise escape
        yield Record(offset, DAMAGED, problem="damaged", detail=f"{type(error).__name__}: {error}")


def _frame(record: Any) -> Frame:
    fields = record.rec_headers
    block = record.raw_stream.read()
    expected = record.length or 0
    kind = (record.rec_type or "unknown").lower()
    frame = Frame(0, kind, date=fields.get_header("WARC-Date"), block=block)
    frame.url = header.bare_url(fields.get_header("WARC-Target-URI"))
    frame.http = header.is_http(fields.get_header("Content-Type") or "")
    frame.truncated = fields.get_header("WARC-Truncated") or ""
    if len(block) < expected:
        frame.problem, frame.detail = "truncated", f"block ends after {len(block)} of {expected} bytes"
    return frame


class WarcioReader:
    """`Reader`'s interface over `read_warcio`: same arguments and offsets, without resynchronising."""

    def __init__(
        self, stream: BinaryIO, *, start: int = 0, end: int | None = None, max_payload: int = MAX_PAYLOAD
    ) -> None:
        self._stream, self._start, self._end, self._max_payload = stream, start, end, max_payload
        self._size = stream.seek(0, 2)
        self.first_offset = start
        self.next_offset = self._size

    def __iter__(self) -> Iterator[Record]:
        """Yield the records that start in [start, end), reading the file from its beginning."""
        self._stream.seek(0)
        first: int | None = None
        for record in read_warcio(self._stream, max_payload=self._max_payload):
            if self._end is not None and record.offset >= self._end:
                self.next_offset = record.offset
                break
            if record.offset >= self._start:
                first = record.offset if first is None else first
                yield record
        self.first_offset = self.next_offset if first is None else first
