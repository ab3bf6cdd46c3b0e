"""Memory: one budget for the whole process tree, and how many workers it can feed.

What a worker must hold whatever it does: interpreter, Arrow, compiled kernels, the language model, the tokenizer, the
batch in hand, and the process in which pages are extracted. What is mapped from files costs no budget: the kernel
drops it when it needs the room.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

from tamis.errors import ConfigError

DRIVER_BYTES = 350 << 20
WORKER_BYTES = 700 << 20
SORT_LEAST, SORT_MOST = 64 << 20, 1 << 30
# Left to the system and to whatever else runs, where nobody said how much there is.
_SHARE = 0.8

_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory.high", "memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class Memory:
    """How a budget is divided.

    workers: as many as asked for, or as fit. worker: bytes one may hold with its children. sort: bytes that one
    deduplication shard sorts at once; results do not depend on it.
    """

    workers: int
    worker: int
    sort: int


def divide(total: int | None, workers: int) -> Memory:
    """Return the division of `total` bytes (None: most of what there is) among up to `workers` workers.

    Raises ConfigError for a budget too small for one.
    """
    budget = available() if total is None else total
    fits = (budget - DRIVER_BYTES) // WORKER_BYTES
    if fits < 1 and total is not None:
        raise ConfigError(
            f"A memory budget of {total >> 20} MiB is too small.",
            f"One worker needs {(DRIVER_BYTES + WORKER_BYTES) >> 20} MiB.",
        )
    count = max(1, min(workers, fits))
    worker = max((budget - DRIVER_BYTES) // count, WORKER_BYTES)
    spare = (worker - WORKER_BYTES // 2) // 2
    return Memory(count, worker, max(SORT_LEAST, min(spare, SORT_MOST)))


def available(cgroup: Path = _CGROUP) -> int:
    """Return the bytes a run may use by default: a share of the machine's memory, or of what the cgroup allows."""
    limits = [psutil.virtual_memory().total]
    for name in _LIMITS:
        try:
            text = (cgroup / name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            limits.append(int(text))
    return int(min(limits) * _SHARE)
