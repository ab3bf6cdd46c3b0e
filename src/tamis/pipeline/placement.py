"""Placement: which device scores, settled before any input is read, and which processes it is reached from.

The driver and the CPU workers never touch CUDA: units that want it go to processes of their own, as many as the cards
have room for, which keep their model from unit to unit.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from tamis.errors import ConfigError, MissingExtraError
from tamis.pipeline.executor import Executor, InlineExecutor
from tamis.pipeline.local import LocalExecutor
from tamis.scoring.device import choose, cuda_devices, places
from tamis.scoring.options import ScoringOptions
from tamis.scoring.scorer import inspect


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
    """Return "cuda" or "cpu". Raises ConfigError for CUDA that is not there, MissingExtraError, ModelError."""
    if inspect(options).kind == "fasttext":
        return "cpu"
    for library in ("torch", "transformers"):
        if importlib.util.find_spec(library) is None:
            raise MissingExtraError(f"Scoring needs {library}, which is not installed.", "pip install 'tamis[gpu]'")
    if not isinstance(executor, Cluster):
        return choose(options.device)
    if options.device == "cpu" or (options.device == "auto" and not executor.gpus()):
        return "cpu"
    if executor.gpus() < options.gpus:
        raise ConfigError(
            f"Scoring asks for {options.gpus:g} GPU(s) a worker, and the Ray cluster has {executor.gpus():g}.",
            'Add nodes with GPUs, lower scoring.gpus, or set device = "cpu".',
        )
    return "cuda"


def settle_here(options: ScoringOptions) -> str:
    """Return the device for scoring in this process, as `settle` does for processes of this machine."""
    return settle(options, InlineExecutor())


@contextmanager
def placed(executor: Executor, options: ScoringOptions, device: str) -> Iterator[Executor]:
    """Yield the executor for score shards: `executor` itself on the CPU of this machine, another where it must be."""
    made = _placed(executor, options, device)
    try:
        yield made or executor
    finally:
        if made is not None:
            made.close()


def _placed(executor: Executor, options: ScoringOptions, device: str) -> Executor | None:
    if isinstance(executor, Cluster):
        return executor.staying(options.gpus if device == "cuda" else 0.0)
    if device == "cuda":
        return LocalExecutor(places(options.gpus, cuda_devices()))
    # In the driver itself a neural model would bring torch with it, and its threads.
    apart = isinstance(executor, InlineExecutor) and inspect(options).kind != "fasttext"
    return LocalExecutor(1) if apart else None
