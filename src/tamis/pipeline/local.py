"""The local executor: a handful of fresh processes on this machine, each replaced if it dies."""

from __future__ import annotations

import multiprocessing
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import cloudpickle

from tamis.errors import WorkerError
from tamis.pipeline.executor import ATTEMPTS, Work
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard


@dataclass(slots=True)
class Worker:
    """A child process and the unit it has in hand."""

    process: BaseProcess
    pipe: Connection
    shard: Shard | None = None
    attempt: int = 0


class LocalExecutor:
    """Runs units in `workers` spawned processes (never forked: the parent may hold threads)."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        """Yield receipts as units finish. Raises WorkerError for a unit whose worker died on every attempt."""
        queue = deque((shard, 1) for shard in shards)
        code = cloudpickle.dumps(work)
        crew = [_start(code) for _ in range(min(self.workers, len(queue)))]
        try:
            for worker in crew:
                _hand(worker, queue)
            while any(worker.shard for worker in crew):
                yield from self._collect(crew, queue, code)
        finally:
            for worker in crew:
                _stop(worker)

    def _collect(
        self, crew: list[Worker], queue: deque[tuple[Shard, int]], code: bytes
    ) -> Iterator[tuple[Receipt, ...]]:
        busy = {worker.pipe: index for index, worker in enumerate(crew) if worker.shard}
        for pipe in wait(list(busy)):
            index = busy[pipe]  # type: ignore[index]
            try:
                answer = crew[index].pipe.recv_bytes()
            except (EOFError, ConnectionResetError):
                crew[index] = self._replace(crew[index], queue, code)
                continue
            crew[index].shard = None
            _hand(crew[index], queue)
            yield _receipts(answer)

    def _replace(self, worker: Worker, queue: deque[tuple[Shard, int]], code: bytes) -> Worker:
        worker.process.join(5)
        assert worker.shard is not None
        if worker.attempt >= ATTEMPTS:
            raise WorkerError(
                f"Unit {worker.shard} ended its worker {ATTEMPTS} times (exit code {worker.process.exitcode}).",
                "Look for memory exhaustion or a crash in an extractor; what is committed stays.",
            )
        queue.appendleft((worker.shard, worker.attempt + 1))
        worker.shard = None
        _stop(worker)
        fresh = _start(code)
        _hand(fresh, queue)
        return fresh


def _start(code: bytes) -> Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, code), daemon=False)
    process.start()
    theirs.close()
    return Worker(process, ours)


def _hand(worker: Worker, queue: deque[tuple[Shard, int]]) -> None:
    if queue:
        worker.shard, worker.attempt = queue.popleft()
        try:
            worker.pipe.send_bytes(cloudpickle.dumps(worker.shard))
        except (BrokenPipeError, ConnectionResetError):
            pass  # it died while idle: the next wait sees its closed pipe and replaces it


def _stop(worker: Worker) -> None:
    worker.pipe.close()
    worker.process.join(0.5 if worker.shard is None else 0)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()


def _receipts(answer: bytes) -> tuple[Receipt, ...]:
    outcome: Any = cloudpickle.loads(answer)
    if isinstance(outcome, BaseException):
        raise outcome
    receipts: tuple[Receipt, ...] = outcome
    return receipts


def serve(pipe: Connection, code: bytes) -> None:
    """Run units as they come down the pipe, until it closes. The entry point of a worker process."""
    work: Work = cloudpickle.loads(code)
    while True:
        try:
            shard = cloudpickle.loads(pipe.recv_bytes())
        except (EOFError, ConnectionResetError, KeyboardInterrupt):
            return
        try:
            answer = cloudpickle.dumps(work(shard))
        except BaseException as error:
            answer = cloudpickle.dumps(portable(error, shard))
        pipe.send_bytes(answer)


def portable(error: BaseException, shard: Shard) -> BaseException:
    """Return an error that pickles: itself, with the worker's traceback as a note, or a WorkerError that quotes it."""
    trace = "".join(traceback.format_exception(error))
    error.add_note(f"in unit {shard}\n{trace}")
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:
        return WorkerError(f"Unit {shard} failed: {type(error).__name__}: {error}", trace)
    return error
