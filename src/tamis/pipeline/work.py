"""Work: what is done with each unit, and what runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard

# A unit may finish more than one step at once (extract and sift are fused), hence several receipts.
Work = Callable[[Shard], tuple[Receipt, ...]]


class Executor(Protocol):
    """Runs work over shards and yields receipts as they come, in any order.

    An exception raised by the work is raised here; a worker that dies is replaced and its unit tried again as
    `retries` has it: at last WorkerError is raised, or the record that ends workers is set aside.
    """

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        """Yield the receipts of each shard."""
        ...

    def close(self) -> None:
        """Let go of workers."""
        ...
