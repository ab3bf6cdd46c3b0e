"""Progress of a live run: a bar on a terminal, one plain line every few seconds in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tamis.pipeline.manifest import Receipt

Tell = Callable[[str, int, int, Receipt], None]
LOG_EVERY_SECONDS = 5.0


@contextmanager
def progress(console: Console) -> Iterator[Tell]:
    """Give a function to call after every finished unit, and show what it is told on `console`."""
    if not console.is_terminal:
        yield _Log(console)
        return
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, int] = {}

        def tell(step: str, done: int, total: int, receipt: Receipt) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done)  # type: ignore[arg-type]

        yield tell


class _Log:
    """One line per step's end, and at most one every few seconds between: a long run leaves a short log."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = 0.0

    def __call__(self, step: str, done: int, total: int, receipt: Receipt) -> None:
        now = time.monotonic()
        if done == total or now - self._last >= LOG_EVERY_SECONDS:
            self._last = now
            self._console.print(f"{step}: {done}/{total} units", highlight=False)
