"""Runs: a recipe over a manifest, the calls that everything starts with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tamis.pipeline.executor import available_cpus
from tamis.pipeline.executor import load as load_executor
from tamis.pipeline.work import Executor
from tamis.recipe import Recipe, load

if TYPE_CHECKING:
    from tamis.filters.chain import Chain
    from tamis.pipeline.forecast import Forecast
    from tamis.pipeline.plan import Outlook
    from tamis.pipeline.run import Progress, Report


def run(
    manifest: str | Path,
    output: str | Path,
    *,
    recipe: str | Path | Recipe = "default",
    filters: Chain | None = None,
    executor: str | Executor = "local",
    workers: int | None = None,
    address: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    memory: int | None = None,
    clean: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Run a recipe over a manifest into an output folder; running the same again resumes.

    `manifest` is a list of WARC paths (`.gz` or not), a WARC, WET, Parquet or JSONL file, a folder or a glob.
    `filters` replaces the recipe's chains. `executor` is "inline", "local" or "ray", with `workers` processes or CPUs.
    `overrides` are recipe keys such as `{"dedup.threshold": 0.7}`. `memory` in bytes is what
    all processes on this machine may hold together, and bounds the number of workers; None: most of what there is.
    Under Ray it holds for each node.
    `clean` removes `work/` at the end.

    Raises the errors of `tamis.errors`; `Report.complete` is False where some input could not be read.
    """
    from tamis.pipeline.memory import divide
    from tamis.pipeline.run import Run

    settings = _recipe(recipe, overrides).settings(filters)
    share = divide(memory, workers or available_cpus())
    count = workers if executor == "ray" and memory is None else share.workers
    bound = share.worker if memory is not None else None
    chosen = load_executor(executor, count, address, bound) if isinstance(executor, str) else executor
    try:
        made = Run(str(manifest), str(output), settings, memory=share.sort)
        return made.execute(chosen, progress=progress, clean=clean)
    finally:
        if isinstance(executor, str):
            chosen.close()


def plan(
    manifest: str | Path,
    output: str | Path,
    *,
    recipe: str | Path | Recipe = "default",
    filters: Chain | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> list[Outlook]:
    """Return what `run` with the same arguments would do, step by step, without doing any of it."""
    from tamis.pipeline.run import Run

    return Run(str(manifest), str(output), _recipe(recipe, overrides).settings(filters)).outlook()


def prospect(
    manifest: str | Path,
    output: str | Path,
    *,
    recipe: str | Path | Recipe = "default",
    overrides: Mapping[str, Any] | None = None,
    memory: int | None = None,
) -> tuple[list[Outlook], Forecast | None]:
    """Return what `plan` does, and what deduplication needs (None where there is none), from one look at the input."""
    from tamis.pipeline.forecast import forecast as foretell
    from tamis.pipeline.memory import divide
    from tamis.pipeline.run import Run

    made = Run(str(manifest), str(output), _recipe(recipe, overrides).settings())
    planned = made.plan()
    if made.settings.dedup is None:
        return made.outlook(planned), None
    share = divide(memory, available_cpus())
    needs = foretell(planned, made.storage, made.settings.dedup, share.sort)
    return made.outlook(planned), needs


def _recipe(recipe: str | Path | Recipe, overrides: Mapping[str, Any] | None) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else load(recipe, overrides)
