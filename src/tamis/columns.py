"""Arrow columns: the border between record batches and the kernels that walk their buffers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# One batch never holds more than this much text, whatever its row count.
BATCH_BYTES = 16 << 20
BATCH_ROWS = 4096

Offsets = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


def as_text(texts: Sequence[str | None] | pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """Return texts as one `large_string` array.

    Lone surrogates, which UTF-8 cannot hold, become U+FFFD; nulls stay null.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if isinstance(texts, pa.Array):
        return texts if texts.type == pa.large_string() else texts.cast(pa.large_string())
    try:
        return pa.array(texts, pa.large_string())
    except (UnicodeEncodeError, pa.ArrowInvalid):
        return pa.array([_encodable(text) for text in texts], pa.large_string())


def _encodable(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text_buffers(texts: pa.LargeStringArray) -> tuple[Offsets, Bytes]:
    """Return `(offsets, data)` of a `large_string` array without copying.

    `offsets` has shape (n + 1,) and already honours the slice; `data` is the whole value buffer.
    A null has equal offsets (it reads as the empty string).
    """
    if texts.type not in (pa.large_string(), pa.large_binary()):
        raise TypeError(f"expected large_string or large_binary, got {texts.type}")
    if texts.null_count:
        texts = pc.fill_null(texts, "" if texts.type == pa.large_string() else b"")
    _, offsets, data = texts.buffers()
    count = len(texts)
    if count == 0:
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    starts = np.frombuffer(offsets, np.int64, count + 1, texts.offset * 8)
    return starts, np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)


def text_array(offsets: Offsets, data: Bytes) -> pa.LargeStringArray:
    """Return a `large_string` array over numpy buffers; `data` must be valid UTF-8 cut at `offsets`."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def byte_lengths(texts: pa.LargeStringArray) -> npt.NDArray[np.int64]:
    """Return the UTF-8 length of each text in bytes, shape (n,), 0 for null."""
    return np.diff(text_buffers(texts)[0])


def put(batch: pa.RecordBatch, name: str, values: pa.Array | npt.NDArray[np.generic]) -> pa.RecordBatch:
    """Return the batch with column `name` set: replaced where it stands, else appended."""
    array = values if isinstance(values, pa.Array) else pa.array(values)
    index = batch.schema.get_field_index(name)
    if index < 0:
        return batch.append_column(name, array)
    return batch.set_column(index, name, array)


def column(batch: pa.RecordBatch, name: str) -> pa.Array | None:
    """Return a column, or None where the batch has none of that name."""
    return batch.column(name) if batch.schema.get_field_index(name) >= 0 else None


def cut(
    batch: pa.RecordBatch, *, by: str = "text", max_bytes: int = BATCH_BYTES, max_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield zero-copy slices of at most `max_rows` rows and about `max_bytes` of column `by`; one row may exceed it."""
    if batch.num_rows == 0:
        return
    offsets, _ = text_buffers(as_text(batch.column(by)))
    start = 0
    while start < batch.num_rows:
        limit = int(np.searchsorted(offsets, offsets[start] + max_bytes, side="right")) - 1
        end = min(max(limit, start + 1), start + max_rows, batch.num_rows)
        yield batch.slice(start, end - start)
        start = end


def rows_to_batch(rows: Iterable[dict[str, object]], schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch of `schema` from dictionaries; a missing key is null."""
    return pa.RecordBatch.from_pylist(list(rows), schema=schema)
