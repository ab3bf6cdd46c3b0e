"""The local executor: a handful of fresh processes on this machine, each replaced if it dies."""

from __future__ import annotations

import os
import signal
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
from tamis.pipeline.guard import ENDINGS
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.retries import PATIENCE_S, Attempt, Retries, say_waiting
from tamis.pipeline.shard import Shard
from tamis.pipeline.work import Work


@dataclass(slots=True)
class Worker:
    """A child process and the unit it has in hand."""

    process: subprocess.Popen[bytes]
    pipe: Connection
    attempt: Attempt | None = None


class LocalExecutor:
    """Runs units in `workers` fresh interpreters: never forked, because the parent may hold threads, and never
    re-importing the caller's main module, so that it works from notebooks and unguarded scripts alike.

    The workers live until `close`, so that models are loaded and kernels fetched once, not once per step.
    """

    def __init__(self, workers: int, worker_memory: int | None = None) -> None:
        self.workers = workers
        self.worker_memory = worker_memory
        self._crew: list[Worker] = []

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        """Yield receipts as units finish. Raises WorkerError for a unit that no attempt could do."""
        retries = Retries(work)
        queue = deque(retries.first(shards))
        code = cloudpickle.dumps(work)
        while len(self._crew) < min(self.workers, len(queue)):
            self._crew.append(_start(self.worker_memory))
        try:
            for worker in self._crew:
                _hand(worker, code, queue)
            while any(worker.attempt for worker in self._crew):
                yield from self._collect(queue, code, retries)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        for worker in self._crew:
            _stop(worker)
        self._crew = []

    def _collect(self, queue: deque[Attempt], code: bytes, retries: Retries) -> Iterator[tuple[Receipt, ...]]:
        busy = {id(worker.pipe): index for index, worker in enumerate(self._crew) if worker.attempt}
        ready = wait([self._crew[index].pipe for index in busy.values()], PATIENCE_S)
        if not ready:
            say_waiting(len(busy), len(queue))
        for pipe in ready:
            index = busy[id(pipe)]
            worker = self._crew[index]
            try:
                answer = worker.pipe.recv_bytes()
            except (EOFError, ConnectionResetError):
                self._crew[index] = self._replace(worker, queue, code, retries)
                continue
            assert worker.attempt
            found = receipts(answer)
            again = retries.after_life(worker.attempt)
            worker.attempt = None
            if again:
                queue.appendleft(again)
            _hand(worker, code, queue)
            if not again:
                yield found

    def _replace(self, worker: Worker, queue: deque[Attempt], code: bytes, retries: Retries) -> Worker:
        assert worker.attempt
        queue.appendleft(retries.after_death(worker.attempt, _ending(worker.process.wait())))
        worker.attempt = None
        _stop(worker)
        fresh = _start(self.worker_memory)
        _hand(fresh, code, queue)
        return fresh


def _ending(status: int) -> str:
    """Return how a process ended: the name of a signal, what its guard ended it for, or its exit code."""
    if status < 0:
        return signal.Signals(-status).name
    return ENDINGS.get(status, f"exit code {status}")


def _start(memory: int | None) -> Worker:
    ours, theirs = Pipe()
    with theirs:
        bound = [] if memory is None else [str(memory)]
        command = [sys.executable, "-m", "tamis.pipeline.worker", str(theirs.fileno()), str(os.getpid()), *bound]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=env)
    return Worker(process, ours)


def _hand(worker: Worker, code: bytes, queue: deque[Attempt]) -> None:
    if queue:
        worker.attempt = queue.popleft()
        # A worker that died while idle is found, and replaced, when its closed pipe is next waited for.
        with suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send_bytes(cloudpickle.dumps((code, worker.attempt.now)))


def _stop(worker: Worker) -> None:
    worker.pipe.close()
    if worker.attempt is not None:
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
