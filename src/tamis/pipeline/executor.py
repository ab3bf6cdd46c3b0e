"""Executors: where units of work run. All of them give the same receipts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tamis.errors import unknown
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.retries import ATTEMPTS as ATTEMPTS
from tamis.pipeline.shard import Shard
from tamis.pipeline.work import Executor, Work

EXECUTORS = ("inline", "local", "ray")


class InlineExecutor:
    """Everything in this process, one unit after the other: for debuggers, tests and small inputs."""

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        """Yield the receipts of each shard, in order."""
        for shard in shards:
            yield work(shard)

    def close(self) -> None:
        """Do nothing: there are no workers."""


def load(
    name: str, workers: int | None = None, address: str | None = None, worker_memory: int | None = None
) -> Executor:
    """Return an executor by name; `workers` defaults to the CPUs this process may use.

    A worker that holds more than `worker_memory` bytes, with its children, is ended and its unit tried in smaller
    pieces; None sets no bound.
    """
    count = workers or available_cpus()
    if name == "inline":
        return InlineExecutor()
    if name == "local":
        from tamis.pipeline.local import LocalExecutor

        return LocalExecutor(count, worker_memory)
    if name == "ray":
        from tamis.pipeline.ray import RayExecutor

        return RayExecutor(count if workers else None, address, worker_memory)
    raise unknown("executor", name, EXECUTORS)


def available_cpus() -> int:
    """Return the CPUs this process may use: its affinity, capped by the cgroup's quota."""
    affinity = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return affinity if quota == "max" else max(1, min(affinity, int(int(quota) / int(period))))
    except (OSError, ValueError):
        return affinity
