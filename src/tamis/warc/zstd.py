"""Zstandard frames: where they end, read from their block headers (RFC 8878, section 3.1), and bounded decoding."""

from __future__ import annotations

import io
from typing import Any, BinaryIO, cast

import zstandard

MAGIC = b"\x28\xb5\x2f\xfd"
# Skippable frames (RFC 8878, 3.1.2); .warc.zst keeps its dictionary in one at the start of the file.
DICTIONARY_MAGIC = b"\x5d\x2a\x4d\x18"
DICTIONARY_ID = b"\x37\xa4\x30\xec"

ERRORS = (zstandard.ZstdError, ValueError, MemoryError)
# No window above 128 MB: what the zstd command line accepts by default.
_MAX_WINDOW = 1 << 27
_MAX_DICTIONARY = 16 << 20


def is_skippable(magic: bytes) -> bool:
    """Return whether four bytes are the magic number of a skippable frame."""
    return len(magic) >= 4 and magic[0] & 0xF0 == 0x50 and magic[1:4] == b"\x2a\x4d\x18"


def frame_size(stream: BinaryIO, offset: int) -> int:
    """Return the length in bytes of the frame at `offset`; 0 where the file ends inside it, -1 where it is none."""
    stream.seek(offset)
    start = stream.read(18)
    if is_skippable(start):
        length = 8 + int.from_bytes(start[4:8], "little")
    elif start[:4] == MAGIC and len(start) >= 5:
        length = _blocks_end(stream, offset, _header_size(start[4]), bool(start[4] & 4))
    else:
        return -1
    if length <= 0:
        return length
    stream.seek(offset + length - 1)
    return length if len(stream.read(1)) == 1 else 0


def _header_size(descriptor: int) -> int:
    single = bool(descriptor & 0x20)
    content = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    return 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3] + content


def _blocks_end(stream: BinaryIO, offset: int, position: int, checksum: bool) -> int:
    while True:
        stream.seek(offset + position)
        header = stream.read(3)
        if len(header) < 3:
            return 0
        value = int.from_bytes(header, "little")
        kind, length = value >> 1 & 3, value >> 3
        if kind == 3:
            return -1
        position += 3 + (1 if kind == 1 else length)
        if value & 1:
            return position + (4 if checksum else 0)


class _Walk:
    """Follows frames through bytes handed over piece by piece: `within` is whether they have ended inside one."""

    def __init__(self) -> None:
        self._held = b""  # the start of a header that is not there yet
        self._skip = 0
        self._checksum = 0
        self._frame = False

    @property
    def within(self) -> bool:
        return self._frame or bool(self._held or self._skip)

    def feed(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            if self._skip:
                passed = min(self._skip, len(data) - position)
                self._skip -= passed
                position += passed
                continue
            self._held += data[position : position + 1]
            position += 1
            self._block() if self._frame else self._start()

    def _start(self) -> None:
        held = self._held
        if len(held) == 8 and is_skippable(held):
            self._skip, self._held = int.from_bytes(held[4:], "little"), b""
        elif held[:4] == MAGIC and len(held) >= 5 and len(held) == _header_size(held[4]):
            self._frame, self._checksum, self._held = True, 4 if held[4] & 4 else 0, b""

    def _block(self) -> None:
        if len(self._held) == 3:
            value = int.from_bytes(self._held, "little")
            self._skip, self._held = 1 if value >> 1 & 3 == 1 else value >> 3, b""
            if value & 1:
                self._skip, self._frame = self._skip + self._checksum, False


class Unpacked(io.RawIOBase):
    """The decompressed bytes of a stream of frames. Reading raises EOFError where the stream ends inside a frame: the
    library takes what there is for all."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._walk = stream, _Walk()
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << 31)
        self._reader = decompressor.stream_reader(cast(BinaryIO, _Tapped(stream, self._walk)), read_across_frames=True)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; returns the bytes read, 0 at the end."""
        count = self._reader.readinto(buffer)
        if not count and self._walk.within:
            raise EOFError("the file ends inside a zstd frame")
        return count


class _Tapped(io.RawIOBase):
    """A stream whose bytes a walk sees on their way."""

    def __init__(self, stream: BinaryIO, walk: _Walk) -> None:
        self._stream, self._walk = stream, walk

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._walk.feed(data)
        return data


class _Slice(io.RawIOBase):
    """The bytes [offset, offset + length) of a stream, as a stream of their own."""

    def __init__(self, stream: BinaryIO, offset: int, length: int) -> None:
        self._stream, self._position, self._left = stream, offset, length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self._stream.seek(self._position)
        data = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._position += len(data)
        self._left -= len(data)
        return data


def open_frame(stream: BinaryIO, offset: int, length: int, dictionary: bytes) -> Any:
    """Return a reader of the decompressed bytes of one frame; a skippable frame reads as empty."""
    stream.seek(offset)
    if is_skippable(stream.read(4)):
        return io.BytesIO()
    loaded = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
    decompressor = zstandard.ZstdDecompressor(dict_data=loaded, max_window_size=_MAX_WINDOW)
    return decompressor.stream_reader(cast(BinaryIO, _Slice(stream, offset, length)), read_size=65536)


def file_dictionary(stream: BinaryIO) -> bytes:
    """Return the dictionary at the start of a .warc.zst file, or b"" where it has none, a damaged one, or one beyond
    16 MB.

    The dictionary's frame may itself be compressed: https://iipc.github.io/warc-specifications/specifications/warc-zstd/
    """
    stream.seek(0)
    start = stream.read(8)
    if start[:4] != DICTIONARY_MAGIC:
        return b""
    length = int.from_bytes(start[4:8], "little")
    data = stream.read(length) if length <= _MAX_DICTIONARY else b""
    if data[:4] == MAGIC:
        try:
            data = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(data).read(_MAX_DICTIONARY)
        except ERRORS:
            return b""
    return data if data[:4] == DICTIONARY_ID and _loads(data) else b""


def _loads(dictionary: bytes) -> bool:
    """Return whether a dictionary can be used: a damaged one fails where a decompressor is made, not where it reads."""
    try:
        zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(dictionary))
    except ERRORS:
        return False
    return True
