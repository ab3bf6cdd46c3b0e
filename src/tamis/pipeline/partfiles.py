"""Part files: one file for all the partitions it is read by, and beside it an index that says which batch is whose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tamis.pipeline.arrowfiles import table_of, write_file
from tamis.pipeline.storage import FileEntry, Storage
from tamis.pipeline.verified import opened


def write_parts(
    storage: Storage, path: str, schema: pa.Schema, parted: Iterator[tuple[int, pa.RecordBatch]]
) -> list[FileEntry]:
    """Write (partition, batch) in the order they come; `schema` is that of a file without any."""
    of: list[int] = []
    first = next(parted, None)
    with (
        storage.create(path) as sink,
        pa.ipc.new_file(sink, first[1].schema if first else schema) as writer,
    ):
        while first is not None:
            part, batch = first
            of.append(part)
            writer.write_batch(batch)
            sink.rows += batch.num_rows
            first = next(parted, None)
    index = pa.record_batch([np.array(of, np.uint16)], ["part"])
    return [sink.entry(path), write_file(storage, _index(path), index.schema, [index])]


def read_parts(storage: Storage, paths: Sequence[str], part: int) -> Iterator[pa.RecordBatch]:
    """Yield a partition's batches of each file, in the order they were written."""
    for path in paths:
        of = table_of(storage, _index(path)).column("part").to_numpy()
        mine = np.flatnonzero(of == part).tolist()
        if mine:
            with opened(storage, path) as file:
                reader = pa.ipc.open_file(file)
                for number in mine:
                    yield reader.get_batch(number)


def _index(path: str) -> str:
    return f"{path.removesuffix('.arrow')}.index.arrow"
