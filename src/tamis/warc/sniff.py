"""What a file is, told from its first bytes: an error page must never be taken for a WARC."""

from __future__ import annotations

import bz2
import re
import zlib
from typing import BinaryIO

import zstandard

from tamis.warc import zstd
from tamis.warc.codecs import BZIP2_MAGIC, LZ4_MAGIC
from tamis.warc.repair import GZIP_MAGIC

_LOOK = 4096
_ARC_HEADER = re.compile(rb"(?:filedesc://\S*|\w+://\S+) \S+ \d{8,17} ")
# What `kind_of` says of files that hold neither documents nor paths.
NO_WARC = frozenset({"empty", "xml", "html", "binary"})


def kind_of(stream: BinaryIO) -> str:
    """Return what a seekable stream holds, and rewind it.

    `warc`, `arc`, `parquet`, `jsonl`, `xml`, `html`, `text`, `empty`, `gzip` (damaged from its first bytes on) or
    `binary`; compressed files are judged by what is inside.
    """
    stream.seek(0)
    data = stream.read(1 << 16)
    stream.seek(0)
    inner = _inside(data)
    if inner is None:
        return "gzip"
    return _kind(inner)


def _inside(data: bytes) -> bytes | None:
    try:
        if data.startswith(GZIP_MAGIC):
            return zlib.decompressobj(31).decompress(data, _LOOK)
        if data.startswith(LZ4_MAGIC) or zstd.is_skippable(data[:4]):
            # A skippable frame holds a .warc.zst dictionary; nothing else that is read here comes in lz4.
            return b"WARC/"
        if data.startswith(zstd.MAGIC):
            return zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(data).read(_LOOK)
        if data.startswith(BZIP2_MAGIC):
            return bz2.BZ2Decompressor().decompress(data, _LOOK)
    except (zlib.error, OSError, EOFError, zstandard.ZstdError):
        return None
    return data[:_LOOK]


def _kind(data: bytes) -> str:
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, kind in (
        (b"WARC/", "warc"),
        (b"PAR1", "parquet"),
        (b"{", "jsonl"),
        (b"<?xml", "xml"),
        (b"<Error", "xml"),
    ):
        if start.startswith(magic):
            return kind
    if not start:
        return "empty"
    if _ARC_HEADER.match(start):
        return "arc"
    if start.startswith(b"<"):
        return "html"
    return "binary" if b"\0" in start or _is_binary(start) else "text"


def _is_binary(data: bytes) -> bool:
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in data)
    return controls * 50 > len(data)
