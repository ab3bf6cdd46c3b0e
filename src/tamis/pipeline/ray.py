"""The Ray executor: one task per unit, bounded in flight, with retries that end. Only shards and receipts travel.

Ray's own retries are switched off: they are unlimited for memory kills, and they hide which unit failed.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import cloudpickle

from tamis.errors import MissingExtraError
from tamis.pipeline.local import receipts
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.retries import PATIENCE_S, Attempt, Retries, say_waiting
from tamis.pipeline.shard import Shard
from tamis.pipeline.work import Work
from tamis.pipeline.worker import runner

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise MissingExtraError(
        "The ray executor needs Ray, which is not installed.", "pip install 'tamis[ray]'"
    ) from error

# Enough to keep every CPU busy while receipts travel, few enough that a cluster holds no queue of its own.
IN_FLIGHT_PER_CPU = 2
# Receipts are about 1 kB: the store of a local Ray needs no share of the machine's memory.
STORE_BYTES = 80 << 20


class RayExecutor:
    """Runs units as Ray tasks: on the cluster at `address`, the one already joined, or a local one of `workers` CPUs.

    On a cluster every CPU is used; a task asks for `worker_memory` bytes of its node and may hold no more.
    """

    def __init__(
        self, workers: int | None = None, address: str | None = None, worker_memory: int | None = None
    ) -> None:
        self.workers = workers
        self.address = address
        self.worker_memory = worker_memory
        self._started = False

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        """Yield receipts as tasks finish. Raises WorkerError for a unit that no attempt could do."""
        retries = Retries(work)
        queue = deque(retries.first(shards))
        if not queue:
            return
        self._started |= _join(self.workers, self.address)
        yield from self._drive(cloudpickle.dumps(work), queue, retries)

    def _drive(self, code: bytes, queue: deque[Attempt], retries: Retries) -> Iterator[tuple[Receipt, ...]]:
        # On a cluster Ray places by memory too, and an autoscaler sees what is needed.
        share = self.worker_memory or 0 if self.address else 0
        task = ray.remote(num_cpus=1, memory=share, max_retries=0)(run_unit)
        work = ray.put(code)
        flying: dict[Any, Attempt] = {}
        while queue or flying:
            slots = self._slots()
            while queue and len(flying) < slots:
                attempt = queue.popleft()
                flying[task.remote(work, attempt.now, self.worker_memory)] = attempt
            done, _ = ray.wait(list(flying), num_returns=1, timeout=PATIENCE_S)
            if not done:
                say_waiting(len(flying), len(queue))
            for reference in done:
                attempt = flying.pop(reference)
                try:
                    found = receipts(ray.get(reference))
                except RayError as error:
                    queue.append(retries.after_death(attempt, type(error).__name__))
                    continue
                again = retries.after_life(attempt)
                if again:
                    queue.append(again)
                else:
                    yield found

    def gpus(self) -> float:
        """Return how many GPUs the cluster has; 0 on a local Ray, which is not told of any."""
        self._started |= _join(self.workers, self.address)
        return float(ray.cluster_resources().get("GPU", 0))

    def staying(self, gpus: float) -> RayActors:
        """Return an executor of actors, which keep their models from unit to unit, each with `gpus` or one CPU."""
        self._started |= _join(self.workers, self.address)
        return RayActors(gpus, self.worker_memory if not gpus else None)

    def _slots(self) -> int:
        """Return how many units may be in flight now: clusters grow, shrink, and lose nodes."""
        alone = self.workers if not self.address else None
        return IN_FLIGHT_PER_CPU * (alone or max(1, int(ray.cluster_resources().get("CPU", 1))))

    def close(self) -> None:
        """Leave the cluster if this executor joined it."""
        if self._started:
            ray.shutdown()
            self._started = False


class RayActors:
    """Runs units in actors, as many as the cluster has room for; one that dies is replaced. Ray hides from each the
    GPUs that are not its own."""

    def __init__(self, gpus: float, memory: int | None) -> None:
        self._memory = memory
        self._gpus = gpus
        remote: Any = ray.remote
        self._make = remote(num_gpus=gpus, num_cpus=0 if gpus else 1, max_restarts=0, max_concurrency=1)(_Actor)
        self._idle: list[Any] = []

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        """Yield receipts as units finish. Raises WorkerError for a unit that no attempt could do."""
        retries = Retries(work)
        queue = deque(retries.first(shards))
        code = ray.put(cloudpickle.dumps(work))
        flying: dict[Any, tuple[Any, Attempt]] = {}
        while queue or flying:
            while queue and len(flying) < self._room():
                actor, attempt = self._idle.pop() if self._idle else self._make.remote(), queue.popleft()
                flying[actor.run.remote(code, attempt.now, self._memory)] = actor, attempt
            done, _ = ray.wait(list(flying), num_returns=1, timeout=PATIENCE_S)
            if not done:
                say_waiting(len(flying), len(queue))
            for reference in done:
                actor, attempt = flying.pop(reference)
                try:
                    found = receipts(ray.get(reference))
                except RayError as error:
                    queue.append(retries.after_death(attempt, type(error).__name__))
                    continue
                self._idle.append(actor)
                again = retries.after_life(attempt)
                if again:
                    queue.append(again)
                else:
                    yield found

    def _room(self) -> int:
        whole = ray.cluster_resources()
        return max(1, int(whole.get("GPU", 0) / self._gpus) if self._gpus else int(whole.get("CPU", 1)))

    def close(self) -> None:
        """End the actors, and their hold on GPUs."""
        for actor in self._idle:
            ray.kill(actor)
        self._idle = []


class _Actor:
    """A worker that stays: models are cached in its process."""

    def run(self, code: bytes, shard: Shard, memory: int | None) -> bytes:
        return run_unit(code, shard, memory)


def _join(workers: int | None, address: str | None) -> bool:
    """Connect to Ray; returns whether this call started the connection."""
    if ray.is_initialized():
        return False
    if not address:
        # Ray keeps the token of its processes in the home folder, which a container may not let it write.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    if address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(
            address="local",
            num_cpus=workers,
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    return True


def run_unit(code: bytes, shard: Shard, memory: int | None) -> bytes:
    """Run one unit in a Ray worker; returns its pickled receipts or its pickled error."""
    return runner(memory, os.getppid()).run(code, shard)
