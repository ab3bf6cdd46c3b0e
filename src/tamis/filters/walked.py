"""The signals that one walk over the text gives to several families at once."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis import bounds
from tamis.bounds import Bound, PerLanguage
from tamis.columns import text_buffers
from tamis.filters.signal import Signal
from tamis.text.lines import LINE_COUNTS, Lines
from tamis.text.measure import COLUMNS, measure
from tamis.text.stopwords import StopTables, default_tables, stop_tables

Numbers = npt.NDArray[np.float64]

_WALK = pa.struct([pa.field("counts", pa.large_binary()), pa.field("lines", pa.large_binary())])


@dataclass(frozen=True, slots=True)
class Walk:
    """The walk itself: counts and line records of each text, as binary columns; `stops` replace the languages' own."""

    stops: tuple[str, ...] = ()

    def __call__(self, text: pa.Array, language: pa.Array | None = None) -> pa.Array:
        """Return the struct column that `counts_of` and `lines_of` take apart."""
        measured = measure(text, _tables(self.stops), languages=language)
        return pa.StructArray.from_arrays([_rows(measured.counts), measured.lines.to_arrow()], fields=list(_WALK))


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct column."""

    name: str

    def __call__(self, values: pa.Array) -> pa.Array:
        """Return the field, honouring slices."""
        return pc.struct_field(values, self.name)


@dataclass(frozen=True, slots=True)
class LineCounts:
    """The LINE_COUNTS of the records of lines; `short_letters` says up to which length a line is short."""

    short_letters: Bound

    def __call__(self, lines: pa.Array, language: pa.Array | None = None) -> pa.Array:
        """Return the counts as a binary column."""
        short = bounds.resolve(self.short_letters, language, len(lines))
        return _rows(Lines.of(lines).counts(short))


@dataclass(frozen=True, slots=True)
class Count:
    """One count, divided by `unit`."""

    columns: tuple[str, ...]
    name: str
    unit: int = 1

    def __call__(self, counts: pa.Array) -> npt.NDArray[np.int64] | Numbers:
        """Return the count of each row."""
        values = _column(counts, self.columns, self.name)
        return values if self.unit == 1 else values / self.unit


@dataclass(frozen=True, slots=True)
class Share:
    """The sum of some counts over the sum of others, 0 where there is nothing to share."""

    columns: tuple[str, ...]
    over: tuple[str, ...]
    under: tuple[str, ...]
    unit: int = 1
    less: int = 0

    def __call__(self, counts: pa.Array) -> Numbers:
        """Return the share of each row."""
        over = sum((_column(counts, self.columns, name) for name in self.over), 0) - self.less
        under = sum((_column(counts, self.columns, name) for name in self.under), 0) * self.unit
        return np.divide(np.maximum(over, 0), under, out=np.zeros(len(counts)), where=np.asarray(under) > 0)


WALK = Signal("walk", ("text", "language?"), Walk(), type=_WALK)
COUNTS = Signal("walk_counts", (WALK,), Field("counts"), type=pa.large_binary())
LINES = Signal("walk_lines", (WALK,), Field("lines"), type=pa.large_binary())


def own_stop_words(stops: tuple[str, ...]) -> Signal:
    """Return the count of distinct words among `stops`, whatever the language; it takes a walk of its own."""
    walk = Signal("walk", WALK.reads, Walk(stops), type=_WALK)
    counts = Signal("walk_counts", (walk,), Field("counts"), type=pa.large_binary())
    return Signal("stop_word_count", (counts,), Count(COLUMNS, "stop_words"), type=pa.int64())


def word_signal(name: str, over: str, unit: int = 1) -> Signal:
    """Return the signal of one count of the walk."""
    return Signal(name, (COUNTS,), Count(COLUMNS, over, unit), type=pa.int64() if unit == 1 else pa.float64())


def word_share(name: str, over: Sequence[str], under: Sequence[str], unit: int = 1) -> Signal:
    """Return the signal of a share of counts of the walk."""
    return Signal(name, (COUNTS,), Share(COLUMNS, tuple(over), tuple(under), unit))


@cache
def default_line_counts() -> Signal:
    """Return the counts of lines for families that do not ask what a short line is."""
    return line_counts(30.0)


def line_counts(short_letters: Bound) -> Signal:
    """Return the signal that adds up lines, as a binary column."""
    return Signal("line_counts", (LINES, "language?"), LineCounts(short_letters), type=pa.large_binary())


def line_share(counts: Signal, name: str, over: str, under: str, *, less: int = 0) -> Signal:
    """Return the signal of a share of counts of lines; `less` is taken off the count above."""
    return Signal(name, (counts,), Share(LINE_COUNTS, (over,), (under,), less=less))


def line_signal(counts: Signal, name: str, over: str) -> Signal:
    """Return the signal of one count of lines."""
    return Signal(name, (counts,), Count(LINE_COUNTS, over), type=pa.int64())


def scaled(bound: float, fact: str, *, up: bool, reference: str = "eng_Latn") -> PerLanguage:
    """Return a bound fitted to every language of `data/languages.tsv` by how it compares with the reference.

    A lower bound (`up` false) is lowered for languages that have less of the `fact`, an upper one raised for those
    that have more; it is never made stricter than for the reference.
    """
    facts = language_facts(fact)
    overrides = {}
    for code, value in facts.items():
        ratio = value / facts[reference]
        if (ratio > 1) == up:
            overrides[code] = round(bound * ratio, 2)
    return PerLanguage(bound, overrides)


@cache
def language_facts(fact: str) -> dict[str, float]:
    """Return a column of `data/languages.tsv` (`word_ratio`, `word_letters`) for the languages that have it."""
    text = resources.files("tamis.filters").joinpath("data", "languages.tsv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return {row["language"]: float(row[fact]) for row in rows if row[fact]}


@cache
def _tables(stops: tuple[str, ...]) -> StopTables:
    if not stops:
        return default_tables()
    made = stop_tables({"every": stops})
    return StopTables(made.languages, made.keys, every=True)


def _rows(counts: npt.NDArray[np.int64]) -> pa.Array:
    """Return a matrix of counts as one binary value for each row, so that Arrow can filter it."""
    offsets = np.arange(len(counts) + 1, dtype=np.int64) * counts.shape[1] * 8
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(counts))]
    return pa.Array.from_buffers(pa.large_binary(), len(counts), buffers)


def _column(counts: pa.Array, columns: tuple[str, ...], name: str) -> npt.NDArray[np.int64]:
    offsets, data = text_buffers(counts)
    matrix = data[int(offsets[0]) : int(offsets[-1])].view(np.int64).reshape(-1, len(columns))
    return matrix[:, columns.index(name)]
