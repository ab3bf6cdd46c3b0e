"""Codecs: how WARC files are compressed, told from their first bytes, never from their names."""

from __future__ import annotations

import bz2
import functools
import tempfile
from typing import BinaryIO, cast

from tamis.warc import repair, zstd
from tamis.warc.arc import ARC
from tamis.warc.exact import Codec
from tamis.warc.members import GzipMember, Member, PlainMember, ZstdMember

LZ4_MAGIC = b"\x04\x22\x4d\x18"
BZIP2_MAGIC = b"BZh"
_ARC_START = b"filedesc:"

PLAIN = Codec("plain", PlainMember, repair.next_plain, plain=True)
GZIP = Codec("gzip", GzipMember, repair.next_gzip)
PLAIN_ARC = Codec("plain", PlainMember, functools.partial(repair.next_plain, form=ARC), ARC, plain=True)
GZIP_ARC = Codec("gzip", GzipMember, functools.partial(repair.next_gzip, form=ARC), ARC)

# lz4 and bzip2 WARCs are rarities that cannot be cut into spans: they are unpacked into a temporary file first.
_SPOOL_MEMORY = 64 << 20
_SPOOL_LIMIT = 16 << 30
_STEP = 1 << 20


def _zstd(dictionary: bytes) -> Codec:
    return Codec(
        "zstd",
        cast("type[Member]", functools.partial(ZstdMember, dictionary=dictionary)),
        functools.partial(_next_zstd, dictionary),
    )


def _next_zstd(dictionary: bytes, stream: BinaryIO, offset: int, size: int) -> int:
    return repair.next_zstd(stream, offset, size, dictionary)


def packed(magic: bytes) -> str:
    """Return "lz4" or "bz2" where the first bytes say so, else ""."""
    if magic.startswith(LZ4_MAGIC):
        return "lz4"
    return "bz2" if magic.startswith(BZIP2_MAGIC) else ""


def detect(stream: BinaryIO, size: int) -> Codec:
    """Return the codec of a file: by its magic number, or, where its start is damaged, by its first readable record.

    A file without any readable record counts as plain.
    """
    stream.seek(0)
    magic = stream.read(16)
    if magic.startswith(repair.GZIP_MAGIC):
        return GZIP_ARC if GzipMember(stream, 0).peek(9) == _ARC_START else GZIP
    if magic.startswith(_ARC_START):
        return PLAIN_ARC
    if magic.startswith(zstd.MAGIC) or zstd.is_skippable(magic):
        return _zstd(zstd.file_dictionary(stream))
    if magic.lstrip(b"\r\n").startswith(b"WARC/"):
        return PLAIN
    if repair.next_gzip(stream, 0, size) < size:
        return GZIP
    if repair.next_plain(stream, 0, size) < size:
        return PLAIN
    return _zstd(b"") if repair.next_zstd(stream, 0, size, b"") < size else PLAIN


def unpack(stream: BinaryIO, kind: str) -> tuple[BinaryIO, str]:
    """Return the decompressed bytes of an lz4 or bzip2 file as a temporary file, and why they end early, or ""."""
    from fastwarc.stream_io import Lz4Reader

    stream.seek(0)
    source = Lz4Reader(stream) if kind == "lz4" else bz2.BZ2File(stream)
    spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(_SPOOL_MEMORY))  # noqa: SIM115 - the caller reads it
    total = 0
    try:
        while data := source.read(_STEP):
            total += len(data)
            if total > _SPOOL_LIMIT:
                return spool, "too_large"
            spool.write(data)
    except EOFError:
        return spool, "truncated"
    except (OSError, ValueError):
        return spool, "damaged"
    return spool, ""
