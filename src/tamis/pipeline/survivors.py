"""Survivors: rows of the sift step's files by (unit, row), read without the rows around them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import Docs, rows_of, units_of
from tamis.errors import ConfigError
from tamis.pipeline.arrowfiles import sifted_path
from tamis.pipeline.carry import REST
from tamis.pipeline.storage import Storage
from tamis.pipeline.verified import opened

# The narrowest columns: reading one alone tells how many rows each batch has.
_COUNTERS = ("shingles", "bytes", "windows")


class Survivors:
    """Reads one column of survivors by document number; a unit's files are opened when first needed and closed when
    the next unit's are, because documents are asked for in ascending order. `path` says where a unit's rows lie, in
    the same order in each of its files."""

    def __init__(
        self, places: Sequence[tuple[Storage, str]], column: str, path: Callable[[str], str] = sifted_path
    ) -> None:
        self._places = places
        self._column = column
        self._path = path
        self._open: tuple[int, pa.RecordBatchFileReader, npt.NDArray[np.int64]] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Survivors:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, docs: Docs) -> pa.Array:
        """Return the column's values of documents, in the order asked for; `docs` must ascend."""
        units, rows = units_of(docs), rows_of(docs)
        pieces = []
        for unit in np.unique(units):
            reader, ends = self._reader(int(unit))
            wanted = rows[units == unit]
            batches = np.searchsorted(ends, wanted, side="right")
            for index in np.unique(batches):
                start = int(ends[index - 1]) if index else 0
                values = _within(reader.get_batch(int(index)), self._column)
                pieces.append(values.take(pa.array(wanted[batches == index] - start)))
        return pa.concat_arrays(pieces) if pieces else pa.array([], pa.large_string())

    def rows(self, unit: int) -> int:
        """Return how many rows a unit has."""
        ends = self._reader(unit)[1]
        return int(ends[-1]) if len(ends) else 0

    def _reader(self, unit: int) -> tuple[pa.RecordBatchFileReader, npt.NDArray[np.int64]]:
        if self._open is None or self._open[0] != unit:
            self._stack.close()
            counter = self._file(unit, _COUNTERS)
            counts = [counter.get_batch(index).num_rows for index in range(counter.num_record_batches)]
            self._open = unit, self._file(unit, (self._column,)), np.cumsum(np.array(counts, np.int64))
        return self._open[1], self._open[2]

    def _file(self, unit: int, columns: Sequence[str]) -> pa.RecordBatchFileReader:
        """Open a unit's file for the first of these columns that it has."""
        storage, name = self._places[unit]
        file = self._stack.enter_context(opened(storage, self._path(name)))
        schema = pa.ipc.open_file(file).schema
        column = next((column for column in (*columns, REST) if column in schema.names), None)
        if column is None:
            told = ", ".join(schema.names)
            raise ConfigError(f"Documents have no column {columns[0]!r}.", f"They have {told}.")
        options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(column)])
        return pa.ipc.open_file(file, options=options)


def _within(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return the column, or what the source says under its name. Raises ConfigError where it says nothing."""
    values = batch.column(0)
    if batch.schema.names[0] != REST or name == REST:
        return values
    if pa.types.is_struct(values.type):
        if values.type.get_field_index(name) < 0:
            told = ", ".join(field.name for field in values.type)
            raise ConfigError(f"Documents have no column {name!r}.", f"Their source says: {told}.")
        return values.field(name)
    return pa.array([json.loads(row).get(name) if row else None for row in values.to_pylist()])
