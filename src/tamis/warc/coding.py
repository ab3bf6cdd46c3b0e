"""Transfer and content codings of HTTP bodies, decoded in bounded memory."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator

import brotli
import zstandard

from tamis.warc import zstd

_STEP = 64 << 10
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_ZSTD_WINDOW = 1 << 27


class TooLargeError(Exception):
    """A body decodes to more than the bound."""


class BrokenError(Exception):
    """A body does not decode to its end; the first argument is what did decode."""

    def __init__(self, decoded: bytes) -> None:
        super().__init__(decoded)
        self.decoded = decoded


def unchunk(body: bytes) -> bytes:
    """Return a chunked body joined; one that does not start with a chunk size was joined already and is returned as is.

    Raises `BrokenError` where it ends before its last chunk. A missing final CRLF is forgiven.
    """
    pieces: list[bytes] = []
    position = 0
    while True:
        size = _CHUNK_SIZE.match(body, position)
        if size is None:
            if position == 0:
                return body
            raise BrokenError(b"".join(pieces))
        length = int(size[1], 16)
        if length == 0:
            return b"".join(pieces)
        piece = body[size.end() : size.end() + length]
        pieces.append(piece)
        position = size.end() + length
        if len(piece) < length:
            # A first "chunk" longer than the body is text that happens to look like a size.
            if len(pieces) == 1 and size.end() + length > 2 * len(body):
                return body
            raise BrokenError(b"".join(pieces))
        position += 2 if body[position : position + 2] == b"\r\n" else body[position : position + 1] == b"\n"


def decode(body: bytes, coding: str, limit: int) -> bytes:
    """Return the body with one content coding undone: gzip, deflate, br or zstd; others are returned as they are.

    A body that plainly is not so coded (a crawler decoded it and kept the header) is returned as it is.
    Raises `TooLargeError` beyond `limit` bytes and `BrokenError` where the data is cut or corrupt.
    """
    if not body or coding not in _DECODERS:
        return body
    decoded = bytearray()
    try:
        for piece in _DECODERS[coding](body):
            decoded += piece
            if len(decoded) > limit:
                raise TooLargeError
    except (zlib.error, brotli.error, zstandard.ZstdError, EOFError, MemoryError):
        if _is_identity(body, coding, decoded):
            return body
        raise BrokenError(bytes(decoded)) from None
    return bytes(decoded)


def _is_identity(body: bytes, coding: str, decoded: bytes | bytearray) -> bool:
    magic = {"gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}.get(coding)
    if magic:
        return not body.startswith(magic)
    start = body[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    return not decoded and (start[:1] in b"<{[" or all(byte in b"\t\r\n" or byte >= 32 for byte in start))


def _zlib(body: bytes, window: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(window)
    data = body
    while data and not inflater.eof:
        yield inflater.decompress(data, _STEP)
        data = inflater.unconsumed_tail
    while not inflater.eof and (rest := inflater.decompress(b"", _STEP)):
        yield rest
    if not inflater.eof:
        raise EOFError
    # A second gzip member may follow; anything else behind the end is ignored, as browsers do.
    if window > 15 and inflater.unused_data.startswith(b"\x1f\x8b"):
        yield from _zlib(inflater.unused_data, window)


def _gzip(body: bytes) -> Iterator[bytes]:
    return _zlib(body, 31)


def _deflate(body: bytes) -> Iterator[bytes]:
    # "deflate" means zlib, but some servers send the raw stream: the zlib header has a checksum to tell.
    wrapped = len(body) > 1 and body[0] & 15 == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _zlib(body, 15 if wrapped else -15)


def _brotli(body: bytes) -> Iterator[bytes]:
    decompressor = brotli.Decompressor()
    yield decompressor.process(body, output_buffer_limit=_STEP)
    while not decompressor.is_finished():
        if decompressor.can_accept_more_data():
            raise EOFError
        yield decompressor.process(b"", output_buffer_limit=_STEP)


def _zstandard(body: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    reader = decompressor.stream_reader(body, read_across_frames=True)
    while piece := reader.read(_STEP):
        yield piece
    # The library reads a cut frame as if it were whole.
    if zstd.frame_size(io.BytesIO(body), 0) <= 0:
        raise EOFError


_DECODERS = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstandard,
}
