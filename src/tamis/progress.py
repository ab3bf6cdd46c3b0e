"""Progress of a live run: bars on a terminal; in a log a plain line, or a JSON object, every few seconds."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tamis.pipeline.manifest import Receipt

Tell = Callable[[str, int, int, Receipt], None]
# A run of five minutes stays under 200 lines, with room for a line at each step's end.
LOG_EVERY_SECONDS = 5.0


@contextmanager
def progress(console: Console, *, as_json: bool = False) -> Iterator[Tell]:
    """Give a function to call after every finished unit, and show what it is told on `console`."""
    if as_json or not console.is_terminal:
        with _warnings_as_json(console) if as_json else nullcontext():
            yield _Log(console, as_json)
        return
    count = Tally()
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, int] = {}

        def tell(step: str, done: int, total: int, receipt: Receipt) -> None:
            count.add(receipt)
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total, told="")
            bars.update(tasks[step], completed=done, told=str(count) if step == "sift" else "")  # type: ignore[arg-type]

        yield tell


@contextmanager
def _warnings_as_json(console: Console) -> Iterator[None]:
    """Write what the run warns of as JSON too, so that every line of the log is."""
    handler = logging.StreamHandler(console.file)
    handler.setFormatter(_AsJson())
    log = logging.getLogger("tamis")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


class _AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return one object."""
        return json.dumps({"level": record.levelname.lower(), "message": record.getMessage()})


class Tally:
    """What the units of this run have read and kept so far."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.documents = 0
        self.bytes = 0
        self.tokens: dict[str, int] = {}

    def add(self, receipt: Receipt) -> None:
        """Count a unit that sifted: what came in, and what its last filter kept."""
        if receipt.step != "sift" or not receipt.ledger:
            return
        first, last = receipt.ledger[0][0], receipt.ledger[-1][0]
        for step, language, outcome, _, documents, size, _, tokens in receipt.ledger:
            if step == first and outcome == "in":
                self.documents += documents
                self.bytes += size
            if step == last and outcome == "kept":
                self.tokens[language] = self.tokens.get(language, 0) + tokens

    def rates(self) -> tuple[float, float]:
        """Return texts and bytes of text a second."""
        seconds = max(time.monotonic() - self._began, 1e-3)
        return self.documents / seconds, self.bytes / seconds

    def __str__(self) -> str:
        documents, size = self.rates()
        largest = sorted(self.tokens.items(), key=lambda item: (-item[1], item[0]))[:3]
        tokens = ", ".join(f"{code} {count}" for code, count in largest)
        return f"{documents:.0f} texts/s, {size / 1e6:.2f} MB/s, tokens: {tokens}"


class _Log:
    """One line per step's end, and at most one every few seconds between: a long run leaves a short log."""

    def __init__(self, console: Console, as_json: bool) -> None:
        self._console = console
        self._as_json = as_json
        self._tally = Tally()
        self._last = 0.0

    def __call__(self, step: str, done: int, total: int, receipt: Receipt) -> None:
        self._tally.add(receipt)
        now = time.monotonic()
        if done == total or now - self._last >= LOG_EVERY_SECONDS:
            self._last = now
            self._print(step, done, total)

    def _print(self, step: str, done: int, total: int) -> None:
        documents, size = self._tally.rates()
        if self._as_json:
            said = {"step": step, "done": done, "total": total, "texts_per_second": round(documents, 2)}
            said |= {"text_bytes_per_second": round(size, 1), "tokens": self._tally.tokens}
            self._console.file.write(json.dumps(said) + "\n")
            self._console.file.flush()
            return
        told = f", {self._tally}" if step == "sift" else ""
        self._console.print(f"{step}: {done}/{total} units{told}", highlight=False, soft_wrap=True)
