"""Standalone: what every stage by itself has in common, from finding its input to publishing balanced output."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from tamis.budget.ledger import Ledger
from tamis.errors import BooksError, ConfigError, InputError
from tamis.pipeline import tables
from tamis.pipeline.dropfile import DropFile
from tamis.pipeline.drops import Drops
from tamis.pipeline.inbox import Given, Inbox, find
from tamis.pipeline.settings import Settings
from tamis.pipeline.shape import Shape, columns
from tamis.pipeline.storage import InputFiles, Storage
from tamis.pipeline.tokenfolder import TokenFolder
from tamis.warc.manifest import Source

READ = "read"
DROPPED = "dropped.parquet"
READY = "is text already"
UNREADABLE = ("no_text", "json", "damaged", "truncated")

# What a stage does: batches, ledger and drops in, batches out.
Through = Callable[[Iterator[pa.RecordBatch], Ledger, Drops], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class StageReport:
    """What a stage leaves: its output, the file that lists its drops, its ledger, and inputs that could not be read."""

    output: str
    dropped: str
    ledger: Ledger
    problems: tuple[Source, ...]

    @property
    def kept(self) -> int:
        """How many documents were written."""
        return self.ledger.total(self.ledger.steps[-1], "kept").documents


@dataclass(frozen=True, slots=True)
class Standalone:
    """One stage by itself.

    steps: its own steps of the ledger, after reading.
    added: the columns it adds; the input's of the same name give way.
    identify: whether it tells languages. pages_only: whether ready-made text is passed over.
    """

    settings: Settings
    steps: Sequence[str] = ()
    added: pa.Schema = field(default_factory=lambda: pa.schema([]))
    identify: bool = False
    pages_only: bool = False

    def run(self, given: Given, output: str, through: Through, *, overwrite: bool) -> StageReport:
        """Read, do, and publish `output` and its list of drops together, or neither."""
        goal = tables.target(output, overwrite=overwrite)
        leave = frozenset(self.added.names)
        with ExitStack() as stack:
            files = _files(stack)
            sources = self._find(given, files)
            _apart(sources, goal)
            ledger = self._ledger(sources)
            sink = stack.enter_context(goal.storage.create(goal.name))
            drops = self._drops(stack, goal.storage, goal.dropped)
            rest = columns(sources, files, self.settings.read.text_field, leave) if goal.typed else None
            inbox = Inbox(sources, files, self.settings, ledger, drops, Shape(rest), leave, self.identify)
            with tables.create(sink, goal.suffix, rest, self.added) as table:
                for batch in through(inbox.batches(), ledger, drops):
                    sink.rows += batch.num_rows
                    table.write(batch)
            check(ledger, sink.rows, self.steps)
        return StageReport(output, goal.beside, ledger, _problems(sources))

    def fill(self, given: Given, storage: Storage, writer: TokenFolder, output: str) -> StageReport:
        """Read, and write token shards and the list of drops into `storage`, which is to become `output`."""
        with ExitStack() as stack:
            files = _files(stack)
            sources = self._find(given, files)
            ledger = self._ledger(sources)
            drops = self._drops(stack, storage, DROPPED)
            for batch in Inbox(sources, files, self.settings, ledger, drops).batches():
                writer.add(batch, ledger)
            check(ledger, writer.close(ledger), self.steps)
        return StageReport(output, f"{output}/{DROPPED}", ledger, _problems(sources))

    def _drops(self, stack: ExitStack, storage: Storage, name: str) -> DropFile:
        return stack.enter_context(DropFile(self.settings.output, stack.enter_context(storage.create(name))))

    def _find(self, given: Given, files: InputFiles) -> list[Source]:
        """Return the sources; where pages alone are wanted, ready-made text among them is a source with a problem."""
        sources = find(given, files)
        if not self.pages_only:
            return sources
        if all(source.kind != "warc" for source in sources):
            raise InputError(f"{sources[0].name!r} is text already.", "extract takes WARC and WET files.")
        return [source if source.kind == "warc" else replace(source, problem=READY) for source in sources]

    def _ledger(self, sources: Sequence[Source]) -> Ledger:
        pages = any(source.kind == "warc" for source in sources)
        told = ["langid"] if pages or self.identify else []
        return Ledger([READ, *(["extract"] if pages else []), *told, *self.steps])


def check(ledger: Ledger, written: int, steps: Sequence[str]) -> None:
    """Raise BooksError unless each step balances, hands on what it kept, and every document was written or dropped.

    Raises InputError where nothing that was read is a document.
    """
    ledger.check()
    ledger.check_flow(dict(pairwise(steps)), {})
    taken = ledger.total(READ, "in").documents
    wrong = {reason: ledger.total(READ, "dropped", reason=reason).documents for reason in UNREADABLE}
    if taken and sum(wrong.values()) == taken:
        found = ", ".join(f"{reason}: {count}" for reason, count in wrong.items() if count)
        hint = "Name the column that holds the text with --text-field." if wrong["no_text"] else "Fetch it again."
        raise InputError(f"Nothing in the input is a document ({found}).", hint)
    dropped = sum(amount.documents for _, _, _, amount in ledger.reasons())
    if taken != written + dropped:
        raise BooksError(
            f"{taken} documents came in, but {written} were written and {dropped} dropped.", "Report this."
        )


def _files(stack: ExitStack) -> InputFiles:
    return InputFiles(stack.enter_context(tempfile.TemporaryDirectory(prefix="tamis-fetched-")))


def _apart(sources: Iterable[Source], goal: tables.Target) -> None:
    """Raise ConfigError where an output is also an input."""
    outputs = {_absolute(f"{goal.folder}/{name}") for name in (goal.name, goal.dropped)}
    for source in sources:
        if _absolute(source.uri) in outputs:
            raise ConfigError(f"{source.uri} is both input and output.", "Write to another folder.")


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).resolve())


def _problems(sources: Iterable[Source]) -> tuple[Source, ...]:
    return tuple(source for source in sources if source.problem)
