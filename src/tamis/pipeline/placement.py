"""Placement: which device scores or signs, settled before any input is read, and from which processes it is reached.

The driver and the CPU workers never touch CUDA: units that want it go to processes of their own, as many as the cards
have room for, which keep their model from unit to unit.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Protocol, runtime_checkable

from tamis.dedup.options import DedupOptions
from tamis.errors import ConfigError, MissingExtraError
from tamis.pipeline.executor import InlineExecutor
from tamis.pipeline.local import LocalExecutor
from tamis.pipeline.work import Executor
from tamis.scoring.device import choose, cuda_devices, places
from tamis.scoring.found import inspect
from tamis.scoring.options import ScoringOptions

# The share of a GPU that a process needs to sign: it has threads enough to keep one busy.
SIGNING_GPUS = 1.0

log = logging.getLogger("tamis")


@runtime_checkable
class Cluster(Protocol):
    """An executor that reaches other machines, and has workers that stay, with a share of a GPU each."""

    def gpus(self) -> float:
        """Return how many GPUs it can reach."""
        ...

    def staying(self, gpus: float) -> Executor:
        """Return an executor whose workers live until it is closed; each has `gpus`, or one CPU where that is 0."""
        ...


def settle(options: ScoringOptions, executor: Executor) -> str:
    """Return "cuda" or "cpu" for scoring. Raises ConfigError for CUDA that is not there, MissingExtraError or
    ModelError."""
    if inspect(options).kind == "fasttext":
        return "cpu"
    _need("Scoring", ("torch", "transformers"))
    return _settle("Scoring", options.device, options.gpus, executor)


def settle_here(options: ScoringOptions) -> str:
    """Return the device for scoring in this process, as `settle` does for processes of this machine."""
    return settle(options, InlineExecutor())


def settle_signing(options: DedupOptions, executor: Executor) -> str:
    """Return "cuda" or "cpu" for signatures. Raises ConfigError for CUDA that is not there, MissingExtraError."""
    if options.device == "cpu":
        return "cpu"
    if options.device == "cuda":
        _need("MinHash on CUDA", ("torch",))
    return _settle("MinHash", options.device, SIGNING_GPUS, executor)


def _need(what: str, libraries: Sequence[str]) -> None:
    for library in libraries:
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError(f"{what} needs {library}, which is not installed.", "pip install 'tamis[gpu]'")


def _settle(what: str, asked: str, gpus: float, executor: Executor) -> str:
    if not isinstance(executor, Cluster):
        found = choose(asked, what)
    elif asked == "cpu" or (asked == "auto" and not executor.gpus()):
        found = "cpu"
    elif executor.gpus() < gpus:
        raise ConfigError(
            f"{what} asks for {gpus:g} GPU(s) a worker, and the Ray cluster has {executor.gpus():g}.",
            'Add nodes with GPUs, lower scoring.gpus, or set device = "cpu".',
        )
    else:
        found = "cuda"
    if asked == "auto" and found == "cpu":
        log.warning('%s runs on the CPU: device = "auto" found no CUDA device.', what)
    return found


@contextmanager
def placed(executor: Executor, options: ScoringOptions, device: str) -> Iterator[Executor]:
    """Yield the executor for score shards: `executor` itself on the CPU of this machine, another where it must be."""
    if device == "cuda" or isinstance(executor, Cluster):
        with lent(executor, options.gpus if device == "cuda" else 0.0) as other:
            yield other
    elif isinstance(executor, InlineExecutor) and inspect(options).kind != "fasttext":
        # In the driver itself a neural model would bring torch with it, and its threads.
        with closing(LocalExecutor(1)) as other:
            yield other
    else:
        yield executor


@contextmanager
def lent(executor: Executor, gpus: float) -> Iterator[Executor]:
    """Yield an executor whose workers have `gpus` each and live until it is closed: of the cluster, or of this
    machine."""
    made = executor.staying(gpus) if isinstance(executor, Cluster) else LocalExecutor(places(gpus, cuda_devices()))
    with closing(made):
        yield made
