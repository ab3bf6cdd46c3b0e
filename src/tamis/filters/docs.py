"""A batch under judgement: the rows still alive, and every signal measured on them so far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import errors, schema
from tamis.columns import as_text, column, put
from tamis.filters.signal import Signal, measure

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Docs:
    """The rows of a batch that are still judged, with a cache of their signals.

    A drop only marks rows. They are cut away before the next signal that reads a column, so that dearer filters see
    survivors only; signals made of others cost less than the copy of the texts would.
    """

    __slots__ = ("_cache", "_faults", "_ids", "alive", "batch", "judged", "rows")

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self.rows: Rows = np.arange(batch.num_rows)
        self.alive: Mask = np.ones(batch.num_rows, bool)
        self.judged: dict[str, pa.Array] = {}
        # Values with the ids of the rows they were measured on: cut down to the living rows when next asked for, which
        # for most is never.
        self._cache: dict[Signal, tuple[Rows, pa.Array]] = {}
        self._ids: Rows = self.rows
        self._faults: dict[Signal, dict[int, tuple[str, str]]] = {}

    def measure(self, signal: Signal) -> pa.Array:
        """Return the signal of every row in `batch`, measuring it (and what it reads) at most once."""
        if signal not in self._cache:
            if _is_dear(signal):
                self.compact()
            inputs = self.inputs(signal.reads)
            values, faults = measure(signal, inputs, self.batch.num_rows)
            self._cache[signal] = self._ids, values
            self._faults[signal] = {row: (signal.name, text) for row, text in faults.items()} | self._inherited(signal)
        ids, values = self._cache[signal]
        if len(ids) != len(self._ids):
            values = values.take(pa.array(np.searchsorted(ids, self._ids)))
            self._cache[signal] = self._ids, values
        return values

    def inputs(self, reads: tuple[str | Signal, ...]) -> list[pa.Array]:
        """Return the columns and signals that are read; raises `UnknownNameError` for a column the batch lacks."""
        return [self.measure(read) if isinstance(read, Signal) else self._column(read) for read in reads]

    def faults(self, signal: Signal) -> dict[int, tuple[str, str]]:
        """Return, by row, the name of the signal that failed (itself or one it reads) and its traceback."""
        return self._faults.get(signal, {})

    def drop(self, mask: Mask) -> None:
        """Mark rows as no longer judged."""
        self.alive &= ~mask

    def replace_text(self, text: pa.Array, known: Mapping[Signal, pa.Array]) -> None:
        """Put new text in place, forget every signal that read the old one, and note those already `known` of it."""
        self.batch = put(self.batch, "text", text)
        self._cache = {signal: values for signal, values in self._cache.items() if not _reads_text(signal)}
        self._faults = {signal: faults for signal, faults in self._faults.items() if signal in self._cache}
        self._cache |= {signal: (self._ids, values) for signal, values in known.items()}

    def restart(self, batch: pa.RecordBatch) -> None:
        """Number the rows anew, for the next chain: `batch` has the same rows and text, and perhaps more columns."""
        self.batch, self.judged = batch, {}
        self.rows, self.alive = np.arange(batch.num_rows), np.ones(batch.num_rows, bool)

    def compact(self) -> None:
        """Cut away the rows marked as dropped."""
        if self.alive.all():
            return
        mask = pa.array(self.alive)
        self.batch = self.batch.filter(mask)
        self.judged = {name: values.filter(mask) for name, values in self.judged.items()}
        place = np.cumsum(self.alive) - 1
        self._faults = {
            signal: {int(place[row]): fault for row, fault in faults.items() if self.alive[row]}
            for signal, faults in self._faults.items()
        }
        self.rows, self._ids = self.rows[self.alive], self._ids[self.alive]
        self.alive = np.ones(len(self.rows), bool)

    def _column(self, name: str) -> pa.Array:
        wanted = name.removesuffix("?")
        found = column(self.batch, wanted)
        if found is None and wanted != name:
            return pa.nulls(self.batch.num_rows, schema.TEXT)
        if found is None:
            raise errors.unknown("column or signal", name, self.batch.schema.names)
        # Signals are written for 64-bit offsets, whatever the batch came in.
        return as_text(found) if pa.types.is_string(found.type) else found

    def _inherited(self, signal: Signal) -> dict[int, tuple[str, str]]:
        """A signal that reads a failed one fails for the first one's reason, whatever it made of the null."""
        inherited: dict[int, tuple[str, str]] = {}
        for read in signal.reads:
            if isinstance(read, Signal):
                inherited |= self.faults(read)
        return inherited


def _is_dear(signal: Signal) -> bool:
    return signal.per_row or any(isinstance(read, str) for read in signal.reads if read != "language?")


def _reads_text(signal: Signal) -> bool:
    return any(_reads_text(read) if isinstance(read, Signal) else read == "text" for read in signal.reads)
