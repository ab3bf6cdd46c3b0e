"""A worker of the local executor: `python -m tamis.pipeline.worker FD PARENT [BYTES]` runs units until its pipe closes.

It ends itself when process PARENT is gone, or when it holds more than BYTES of memory.
"""

from __future__ import annotations

import gc
import sys
from multiprocessing.connection import Connection
from typing import cast

import cloudpickle

from tamis.pipeline.guard import Guard, start
from tamis.pipeline.local import portable
from tamis.pipeline.shard import Shard
from tamis.pipeline.work import Work

# A worker loads a quarter of a million objects that stay: with Python's thresholds (700, 10, 10) it walks all of them
# five times while it loads, 0.4 s of CPU. Cycles are still found, only later.
_THRESHOLDS = (50_000, 10, 10)


class Runner:
    """Runs units in this process, which is a worker's: one at a time, their work unpickled once, not for each unit."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._code = b""
        self._work = cast(Work, None)
        gc.set_threshold(*_THRESHOLDS)

    def run(self, code: bytes, shard: Shard) -> bytes:
        """Return the pickled receipts of a unit, or its pickled error."""
        try:
            if code == self._code:
                return self._do(shard)
            self._work, self._code = cloudpickle.loads(code), code
            answer = self._do(shard)
        except Exception as error:
            return bytes(cloudpickle.dumps(portable(error, shard)))
        # Modules, models and kernels are loaded by now: the collector need never walk them again.
        gc.freeze()
        return answer

    def _do(self, shard: Shard) -> bytes:
        with self._guard.over(self._work, shard):
            return bytes(cloudpickle.dumps(self._work(shard)))


_current: Runner | None = None


def runner(memory: int | None, parent: int) -> Runner:
    """Return the runner of this process, made if it has none yet; see `guard.start`."""
    global _current
    if _current is None:
        _current = Runner(start(memory, parent))
    return _current


def serve(pipe: Connection, work: Runner) -> None:
    """Run each (work, shard) that comes down the pipe and send back its receipts or its error."""
    try:
        while True:
            pipe.send_bytes(work.run(*cloudpickle.loads(pipe.recv_bytes())))
    except (EOFError, ConnectionResetError, BrokenPipeError, KeyboardInterrupt):
        return  # the driver is gone or has no more work; what this worker wrote is not committed without a receipt


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), runner(int(sys.argv[3]) if sys.argv[3:] else None, int(sys.argv[2])))
