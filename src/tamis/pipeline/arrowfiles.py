"""Arrow files between steps: where each lies, written in batches, read back as they were committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from tamis.pipeline.storage import FileEntry, Storage
from tamis.pipeline.verified import opened

# Fast to write, and its batches are decompressed one by one when rows are fetched for verification.
WORK_FILE = pa.ipc.IpcWriteOptions(compression="lz4")


def extracted_path(unit: str) -> str:
    """Where a unit's extracted texts lie."""
    return path_of("extract", unit)


def sifted_path(unit: str) -> str:
    """Where a unit's survivors lie."""
    return path_of("sift", unit)


def signatures_path(unit: str) -> str:
    """Where the signatures of a unit's survivors lie; row k there is row k of the survivors."""
    return f"signatures/{unit}.arrow"


def path_of(step: str, shard: str) -> str:
    """Where what a shard of a step leaves lies."""
    return f"work/{step}/{shard}.arrow"


def verdicts_path() -> str:
    """Where the verdict step's answer lies: one record batch per unit, in manifest order."""
    return "work/verdict/all.arrow"


def write_file(storage: Storage, path: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> FileEntry:
    """Write batches as one file."""
    with storage.create(path) as sink, pa.ipc.new_file(sink, schema, options=WORK_FILE) as writer:
        for batch in batches:
            writer.write_batch(batch)
            sink.rows += batch.num_rows
    return sink.entry(path)


def batches_of(storage: Storage, path: str) -> Iterator[pa.RecordBatch]:
    """Yield a file's batches, one in memory at a time."""
    with opened(storage, path) as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)


def table_of(storage: Storage, path: str) -> pa.Table:
    """Return a whole file."""
    with opened(storage, path) as file:
        return pa.ipc.open_file(file).read_all()
