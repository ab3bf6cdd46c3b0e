"""The Ray executor: one task per unit, bounded in flight, with retries that end. Only shards and receipts travel.

Ray's own retries are switched off: they are unlimited for memory kills, and they hide which unit failed.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import cloudpickle

from tamis.errors import MissingExtraError, WorkerError
from tamis.pipeline.executor import ATTEMPTS, Work
from tamis.pipeline.local import portable, receipts
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard

try:
    import ray
    from ray.exceptions import RayError
except ImportError as error:
    raise MissingExtraError(
        "The ray executor needs Ray, which is not installed.", "pip install 'tamis[ray]'"
    ) from error

# Enough to keep every CPU busy while receipts travel, few enough that a cluster holds no queue of its own.
IN_FLIGHT_PER_CPU = 2


class RayExecutor:
    """Runs units as Ray tasks: on the cluster at `address`, the one already joined, or a local one."""

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self.workers = workers
        self.address = address
        self._started = False

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        """Yield receipts as tasks finish. Raises WorkerError for a unit whose worker died on every attempt."""
        queue = deque((shard, 1) for shard in shards)
        if not queue:
            return
        self._started |= _join(self.workers, self.address)
        yield from _drive(cloudpickle.dumps(work), queue, self.workers)

    def close(self) -> None:
        """Leave the cluster if this executor joined it."""
        if self._started:
            ray.shutdown()
            self._started = False


def _join(workers: int | None, address: str | None) -> bool:
    """Connect to Ray; returns whether this call started the connection."""
    if ray.is_initialized():
        return False
    if address:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    else:
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    return True


def _drive(code: bytes, queue: deque[tuple[Shard, int]], workers: int | None) -> Iterator[tuple[Receipt, ...]]:
    task = ray.remote(num_cpus=1, max_retries=0)(run_unit)
    work = ray.put(code)
    slots = IN_FLIGHT_PER_CPU * (workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
    flying: dict[Any, tuple[Shard, int]] = {}
    while queue or flying:
        while queue and len(flying) < slots:
            shard, attempt = queue.popleft()
            flying[task.remote(work, shard)] = (shard, attempt)
        done, _ = ray.wait(list(flying), num_returns=1)
        for reference in done:
            shard, attempt = flying.pop(reference)
            try:
                answer = ray.get(reference)
            except RayError as error:
                if attempt >= ATTEMPTS:
                    raise WorkerError(
                        f"Unit {shard} failed on {ATTEMPTS} Ray workers: {type(error).__name__}.",
                        "Look for memory exhaustion or a crash in an extractor; what is committed stays.",
                    ) from error
                queue.append((shard, attempt + 1))
                continue
            yield receipts(answer)


def run_unit(code: bytes, shard: Shard) -> bytes:
    """Run one unit in a Ray worker; returns its pickled receipts or its pickled error."""
    work: Work = cloudpickle.loads(code)
    try:
        return bytes(cloudpickle.dumps(work(shard)))
    except Exception as error:
        return bytes(cloudpickle.dumps(portable(error, shard)))
