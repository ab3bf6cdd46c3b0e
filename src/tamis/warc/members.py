"""Members: the separately compressed pieces of a WARC file, inflated in bounded steps and verified to the end."""

from __future__ import annotations

import zlib
from typing import BinaryIO, Protocol

from tamis.warc import zstd

_READ = 64 << 10
# Most that one step inflates: a bomb costs time in proportion to what is asked of it, never memory.
_STEP = 1 << 20


class Member:
    """A decompressed view of the bytes from `offset` on, up to the end of one member.

    fault: "" or why it cannot be read on: `truncated` (the file ends inside it) or `damaged`.
    ended: the member's end was reached and its checksum holds.
    end: file offset after the compressed bytes used so far.
    used: decompressed bytes taken so far.
    records: records and damaged stretches met so far.
    """

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        self.offset = offset
        self.end = offset
        self.ended = False
        self.fault = ""
        self.used = 0
        self.records = 0
        self._stream = stream
        self._buffer = bytearray()

    def _more(self) -> bytes:
        """Return the next decompressed bytes; b"" once `ended` or `fault` is set."""
        raise NotImplementedError

    def closed(self) -> bool:
        """Return whether nothing can be read beyond what is buffered."""
        return self.ended or bool(self.fault)

    def peek(self, count: int) -> bytes:
        """Return up to `count` bytes without using them; fewer only at the end or before a fault."""
        while len(self._buffer) < count and not self.closed():
            self._buffer += self._more()
        return bytes(self._buffer[:count])

    def take(self, count: int) -> bytes:
        """Return and use up to `count` bytes; fewer only at the end or before a fault."""
        data = self.peek(count)
        del self._buffer[: len(data)]
        self.used += len(data)
        return data

    def put_back(self, data: bytes) -> None:
        """Undo `take`: the next bytes read are `data` again."""
        self._buffer[:0] = data
        self.used -= len(data)

    def skip(self, count: int) -> int:
        """Use up to `count` bytes without keeping them; return how many there were."""
        left = count
        while left > 0:
            piece = self.take(min(left, _STEP))
            if not piece:
                break
            left -= len(piece)
        return count - left

    def next_offset(self) -> int:
        """Return the offset that identifies the next record of this member."""
        return self.offset + self.records


class GzipMember(Member):
    """One gzip member; its CRC and length are checked when its end is reached."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        super().__init__(stream, offset)
        self._inflater = zlib.decompressobj(31)
        stream.seek(offset)

    def _more(self) -> bytes:
        chunk = self._inflater.unconsumed_tail or self._stream.read(_READ)
        if not chunk:
            self.fault = "truncated"
            return b""
        before = self._inflater.copy()
        try:
            data = self._inflater.decompress(chunk, _STEP)
        except zlib.error:
            self.fault = "damaged"
            return _salvage(before, chunk)
        self.ended = self._inflater.eof
        self.end += len(chunk) - len(self._inflater.unused_data if self.ended else self._inflater.unconsumed_tail)
        return data


def _salvage(inflater: zlib._Decompress, chunk: bytes) -> bytes:
    """Return what inflates before the fault: zlib gives nothing back from the call that fails."""
    pieces = []
    try:
        for start in range(0, len(chunk), 64):
            pieces.append(inflater.decompress(chunk[start : start + 64]))
    except zlib.error:
        pass
    return b"".join(pieces)


class ZstdMember(Member):
    """One zstd frame; its end is known from its block headers, its checksum is verified where it has one."""

    def __init__(self, stream: BinaryIO, offset: int, dictionary: bytes = b"") -> None:
        super().__init__(stream, offset)
        extent = zstd.frame_size(stream, offset)
        self.fault = "" if extent > 0 else ("truncated" if extent == 0 else "damaged")
        self._reader = None if self.fault else zstd.open_frame(stream, offset, extent, dictionary)
        self.end = offset + max(extent, 0)

    def _more(self) -> bytes:
        assert self._reader is not None
        try:
            data: bytes = self._reader.read(_STEP)
        except zstd.ERRORS:
            self.fault = "damaged"
            return b""
        self.ended = not data
        return data


class PlainMember(Member):
    """An uncompressed file from `offset` on: one member that holds all its records."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        super().__init__(stream, offset)
        stream.seek(offset)

    def _more(self) -> bytes:
        data = self._stream.read(_READ)
        self.end += len(data)
        self.ended = not data
        return data

    def next_offset(self) -> int:
        """Return the file offset of the next byte: a plain record's offset is where its header starts."""
        return self.offset + self.used


class Opener(Protocol):
    """Opens the member that starts at an offset."""

    def __call__(self, stream: BinaryIO, offset: int) -> Member:
        """Return the member at `offset`."""
