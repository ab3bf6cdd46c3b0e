"""The local executor: a handful of fresh processes on this machine, each replaced if it dies."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any

import cloudpickle

from tamis.errors import WorkerError
from tamis.pipeline.executor import ATTEMPTS, Work
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard


@dataclass(slots=True)
class Worker:
    """A child process and the unit it has in hand."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    shard: Shard | None = None
    attempt: int = 0


class LocalExecutor:
    """Runs units in `workers` fresh interpreters: never forked, because the parent may hold threads, and never
    re-importing the caller's main module, so that it works from notebooks and unguarded scripts alike.

    The workers live until `close`, so that models are loaded and kernels fetched once, not once per step.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._crew: list[Worker] = []

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        """Yield receipts as units finish. Raises WorkerError for a unit whose worker died on every attempt."""
        queue = deque((shard, 1) for shard in shards)
        code = cloudpickle.dumps(work)
        while len(self._crew) < min(self.workers, len(queue)):
            self._crew.append(_start())
        try:
            for worker in self._crew:
                _hand(worker, code, queue)
            while any(worker.shard for worker in self._crew):
                yield from self._collect(queue, code)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        for worker in self._crew:
            _stop(worker)
        self._crew = []

    def _collect(self, queue: deque[tuple[Shard, int]], code: bytes) -> Iterator[tuple[Receipt, ...]]:
        busy = {id(worker.pipe): index for index, worker in enumerate(self._crew) if worker.shard}
        for pipe in wait([self._crew[index].pipe for index in busy.values()]):
            index = busy[id(pipe)]
            worker = self._crew[index]
            try:
                answer = worker.pipe.recv_bytes()
            except (EOFError, ConnectionResetError):
                self._crew[index] = _replace(worker, queue, code)
                continue
            worker.shard = None
            _hand(worker, code, queue)
            yield receipts(answer)


def _replace(worker: Worker, queue: deque[tuple[Shard, int]], code: bytes) -> Worker:
    status = worker.process.wait()
    assert worker.shard is not None
    if worker.attempt >= ATTEMPTS:
        raise WorkerError(
            f"Unit {worker.shard} ended its worker {ATTEMPTS} times (exit code {status}).",
            "Look for memory exhaustion or a crash in an extractor; what is committed stays.",
        )
    queue.appendleft((worker.shard, worker.attempt + 1))
    worker.shard = None
    _stop(worker)
    fresh = _start()
    _hand(fresh, code, queue)
    return fresh


def _start() -> Worker:
    ours, theirs = Pipe()
    with theirs:
        command = [sys.executable, "-m", "tamis.pipeline.worker", str(theirs.fileno())]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=env)
    return Worker(process, ours)


def _hand(worker: Worker, code: bytes, queue: deque[tuple[Shard, int]]) -> None:
    if queue:
        worker.shard, worker.attempt = queue.popleft()
        # A worker that died while idle is found, and replaced, when its closed pipe is next waited for.
        with suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send_bytes(cloudpickle.dumps((code, worker.shard)))


def _stop(worker: Worker) -> None:
    worker.pipe.close()
    if worker.shard is not None:
        worker.process.kill()
    try:
        worker.process.wait(5)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()


def receipts(answer: bytes) -> tuple[Receipt, ...]:
    """Return the receipts a worker sent back, or raise the error it sent instead."""
    outcome: Any = cloudpickle.loads(answer)
    if isinstance(outcome, BaseException):
        raise outcome
    return tuple(outcome)


def portable(error: BaseException, shard: Shard) -> BaseException:
    """Return an error that pickles: itself, with the worker's traceback as a note, or a WorkerError that quotes it."""
    trace = "".join(traceback.format_exception(error))
    error.add_note(f"in unit {shard}\n{trace}")
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:
        return WorkerError(f"Unit {shard} failed: {type(error).__name__}: {error}", trace)
    return error
