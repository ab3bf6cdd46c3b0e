"""Resynchronising: where, at or after an offset, does the next readable record start?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from tamis.warc import header, zstd
from tamis.warc.header import WARC, Format

GZIP_MAGIC = b"\x1f\x8b\x08"
_BLOCK = 1 << 20
# How far a candidate may reach: covers the longest accepted WARC header, compressed or not.
_REACH = header.MAX_HEADER + 1024
_PADDING = b"\0\r\n \t"


def next_gzip(stream: BinaryIO, offset: int, size: int, form: Format = WARC) -> int:
    """Return where the first gzip member from `offset` on that inflates to a sane header starts, or `size`."""
    for base, block, fresh in _blocks(stream, offset, size):
        position = block.find(GZIP_MAGIC)
        while 0 <= position < fresh:
            if _inflates_to_header(block, position, form):
                return base + position
            position = block.find(GZIP_MAGIC, position + 1)
    return size


def _inflates_to_header(block: bytes, position: int, form: Format) -> bool:
    # The upper three flag bits are reserved: in noise this alone turns most candidates away.
    if position + 3 >= len(block) or block[position + 3] & 0xE0:
        return False
    inflater = zlib.decompressobj(31)
    try:
        start = inflater.decompress(block[position : position + 2048], 64).lstrip(b"\r\n")
        if len(start) > 16 and not form.begin.match(start):
            return False
        inflater = zlib.decompressobj(31)
        data = inflater.decompress(block[position : position + _REACH], _REACH)
    except zlib.error:
        return False
    return form.parse(data.lstrip(b"\r\n")) is not None


def next_zstd(stream: BinaryIO, offset: int, size: int, dictionary: bytes) -> int:
    """Return the offset of the first zstd frame at or after `offset` that decodes to a sane WARC header, or `size`."""
    for base, block, fresh in _blocks(stream, offset, size):
        position = block.find(zstd.MAGIC)
        while 0 <= position < fresh:
            if _decodes_to_header(stream, base + position, dictionary):
                return base + position
            position = block.find(zstd.MAGIC, position + 1)
    return size


def _decodes_to_header(stream: BinaryIO, offset: int, dictionary: bytes) -> bool:
    extent = zstd.frame_size(stream, offset)
    if extent <= 0:
        return False
    try:
        data = zstd.open_frame(stream, offset, extent, dictionary).read(_REACH)
    except zstd.ERRORS:
        return False
    return header.parse(data.lstrip(b"\r\n")) is not None


def next_plain(stream: BinaryIO, offset: int, size: int, form: Format = WARC) -> int:
    """Return the offset of the first line at or after `offset` that starts a sane header, or `size`."""
    for base, block, fresh in _blocks(stream, max(offset - 1, 0), size):
        if base == 0 and offset == 0 and form.parse(block) is not None:
            return 0
        for found in form.candidate.finditer(block):
            if found.start() >= fresh:
                break
            if base + found.start() >= offset and form.parse(block[found.start() : found.start() + _REACH]):
                return base + found.start()
    return size


def _blocks(stream: BinaryIO, offset: int, size: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield (offset, bytes, fresh): matches that start before `fresh` belong to this block, the rest is look-ahead."""
    while offset < size:
        stream.seek(offset)
        block = stream.read(_BLOCK + _REACH)
        if not block:
            return
        fresh = len(block) if offset + len(block) >= size else min(_BLOCK, len(block))
        yield offset, block, fresh
        # One byte of overlap lets a line that starts at the next block's first byte see its newline.
        offset += fresh if fresh == len(block) else fresh - 1


def is_padding(stream: BinaryIO, start: int, end: int) -> bool:
    """Return whether [start, end) holds only zero bytes, blanks and line ends."""
    stream.seek(start)
    left = end - start
    while left > 0:
        piece = stream.read(min(left, _BLOCK))
        if not piece:
            break
        if piece.strip(_PADDING):
            return False
        left -= len(piece)
    return True
