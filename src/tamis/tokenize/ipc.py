"""Arrow shards that are an IPC stream and an IPC file at once.

The file format is the stream format between a leading magic and a footer. `datasets.load_from_disk` reads streams and
knows nothing of the footer; random access needs the footer, and no reader met looks at the leading magic: pyarrow,
pyarrow.dataset and polars find the footer from the end. So the eight leading bytes are left out, and the footer's
offsets are moved by as many.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

import pyarrow as pa

_MAGIC = 8  # "ARROW1" and two bytes of padding
_BLOCK = 24  # struct Block { offset: int64, metaDataLength: int32, (padding), bodyLength: int64 }
_BLOCK_FIELDS = (2, 3)  # dictionaries, recordBatches in table Footer (format/File.fbs)


class ShardFile:
    """Writes record batches of one schema to a binary sink, which it leaves open; `written` counts bytes."""

    def __init__(self, sink: BinaryIO, schema: pa.Schema) -> None:
        self.written = 0
        self._target = sink
        self._skip = _MAGIC
        self._tail: bytearray | None = None
        self._writer = pa.ipc.new_file(pa.PythonFile(_Sink(self._take), mode="w"), schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Write one record batch."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the end of the stream and the footer."""
        self._tail = bytearray()
        self._writer.close()
        tail, self._tail = self._tail, None
        _move_blocks(tail, -_MAGIC)
        self._take(bytes(tail))

    def _take(self, data: bytes) -> None:
        data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        if self._tail is not None:
            self._tail += data
        else:
            self._target.write(data)
            self.written += len(data)


class _Sink(io.RawIOBase):
    """The least that pa.PythonFile asks of a file it writes to."""

    def __init__(self, take: object) -> None:
        self._call = take

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        taken = bytes(data)  # type: ignore[call-overload]
        self._call(taken)  # type: ignore[operator]
        return len(taken)


def _move_blocks(tail: bytearray, by: int) -> None:
    """Add `by` to the offset of every block in the footer: flatbuffer, its length (int32), "ARROW1"."""
    (size,) = struct.unpack_from("<i", tail, len(tail) - 10)
    base = len(tail) - 10 - size
    table = base + struct.unpack_from("<I", tail, base)[0]
    layout = table - struct.unpack_from("<i", tail, table)[0]
    (layout_bytes,) = struct.unpack_from("<H", tail, layout)
    for field in _BLOCK_FIELDS:
        entry = 4 + 2 * field
        place = struct.unpack_from("<H", tail, layout + entry)[0] if entry < layout_bytes else 0
        if place:
            vector = table + place + struct.unpack_from("<I", tail, table + place)[0]
            for index in range(struct.unpack_from("<I", tail, vector)[0]):
                at = vector + 4 + _BLOCK * index
                struct.pack_into("<q", tail, at, struct.unpack_from("<q", tail, at)[0] + by)
