"""Care: how a unit is read after it ended its worker: without the records known to do so, or noting each one first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

# Reasons in `dropped/` of records that no worker survives.
DIED = "worker_died"
MEMORY = "worker_memory"


@dataclass(frozen=True, slots=True)
class Suspect:
    """The record a worker had in hand when it ended, and whether memory was the cause."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Care:
    """What to set aside, and whom to tell of each record.

    poison: reasons by id of records that are set aside unread. note: told the id of every record before it is worked
    on, and "" after it; then records go one by one. beat: told that the unit is alive, once for every page.
    """

    poison: Mapping[str, str] = field(default_factory=dict)
    note: Callable[[str], None] | None = None
    beat: Callable[[], None] = lambda: None

    def one_by_one(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the batches as they are, or row by row where each row is to be noted."""
        for batch in batches:
            self.beat()
            if self.note is None:
                yield batch
                continue
            for row, ident in enumerate(batch.column("id").to_pylist()):
                self.note(ident)
                yield batch.slice(row, 1)
                self.note("")

    def split(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return (rows to work on, rows to set aside with their `reason`)."""
        if not self.poison:
            return batch, batch.slice(0, 0)
        ids = batch.column("id").to_pylist()
        aside = pa.array([ident in self.poison for ident in ids])
        reasons = pa.array([self.poison[ident] for ident in ids if ident in self.poison], pa.large_string())
        return batch.filter(pc.invert(aside)), batch.filter(aside).append_column("reason", reasons)
