"""C4's rules: Raffel et al. 2020, JMLR 21(140), §2.2, as TensorFlow Datasets and datatrove apply them.

Lines that do not end a sentence, have too few words or too long ones, or speak of JavaScript, cookies and policies, are
taken out by a rewrite, which books each under its reason. Documents are judged by the lines that stay: "lorem ipsum",
curly brackets, too few sentences. These rules stand first in the chain, because the walk that finds the lines is all
they need, and a dropped document need not be rewritten.

We differ by default (variant "tamis"): words, sentences and the ends of lines are those of every script, and what may
follow the end of a sentence (a quote, a bracket, white space) does not matter. The variant "datatrove" is its
`C4QualityFilter`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis import bounds, errors
from tamis.bounds import Bound
from tamis.columns import text_buffers
from tamis.filters.chain import Chain
from tamis.filters.datatrove_c4 import BLOCK, C4Block
from tamis.filters.families import family
from tamis.filters.gopher import VARIANTS
from tamis.filters.line_rules import ASKED, REASONS, book, judge_lines
from tamis.filters.rewrites import Rewrite, Rewritten
from tamis.filters.rule import OPEN, Rule, keep
from tamis.filters.signal import Signal
from tamis.filters.walked import LINES, Count, Field
from tamis.text.lines import CITED, FLAGS, Lines, join_lines
from tamis.text.measure import measure
from tamis.text.stopwords import stop_tables

C4 = "Raffel et al. 2020, JMLR 21(140), §2.2"

_CITATION = r"\[[0-9]*\]|\[edit\]|\[citation needed\]"
_PREPARED = pa.struct([pa.field("text", pa.large_string()), pa.field("lines", pa.large_binary())])
_JUDGED = pa.struct([pa.field("asked", pa.large_binary()), pa.field("reasons", pa.large_binary())])


@dataclass(frozen=True, slots=True)
class Prepared:
    """The text without citations, and its lines; only texts that have some are walked again."""

    citations: bool

    def __call__(self, text: pa.Array, lines: pa.Array) -> pa.Array:
        """Return both as a struct column."""
        text = pc.fill_null(text, "")
        if self.citations and len(cited := _cited(text, Lines.of(lines))):
            text, lines = _without_citations(text, lines, cited)
        return pa.StructArray.from_arrays([text, lines], fields=list(_PREPARED))


@dataclass(frozen=True, slots=True)
class JudgedLines:
    """Which lines go and why (one byte each), and ASKED of those that stay."""

    min_words: Bound
    max_letters: Bound
    options: tuple[bool, bool, bool]

    def __call__(self, prepared: pa.Array, language: pa.Array) -> pa.Array:
        """Return both as a struct column."""
        text, lines = pc.struct_field(prepared, "text"), Lines.of(pc.struct_field(prepared, "lines"))
        least = bounds.resolve(self.min_words, language, len(text))
        most = bounds.resolve(self.max_letters, language, len(text))
        reasons, asked = judge_lines(*text_buffers(text), lines.offsets, lines.records, least, most, self.options)
        parts = [_binary(np.arange(len(text) + 1) * len(ASKED) * 8, asked), _binary(lines.offsets, reasons)]
        return pa.StructArray.from_arrays(parts, fields=list(_JUDGED))


@dataclass(frozen=True, slots=True)
class TakeLines:
    """The rewrite: the lines that stay, one a line, with their records, so that nobody walks them again."""

    def __call__(self, prepared: pa.Array, judged: pa.Array) -> Rewritten:
        """Return the new texts and what each reason took out."""
        text, lines = pc.struct_field(prepared, "text"), Lines.of(pc.struct_field(prepared, "lines"))
        offsets, data = text_buffers(pc.struct_field(judged, "reasons"))
        reasons = data[int(offsets[0]) : int(offsets[-1])]
        books = np.zeros((len(REASONS), 2, len(text)), np.int64)
        book(*text_buffers(text), lines.offsets, lines.records, reasons, books)
        removed = {name: (books[number, 0], books[number, 1]) for number, name in enumerate(REASONS) if number}
        made, kept = join_lines(text, lines, reasons == 0)
        return Rewritten(made, removed, {LINES: kept.to_arrow()})


@dataclass(frozen=True, slots=True)
class TakeBlock:
    """The rewrite of the variant "datatrove"."""

    def __call__(self, block: pa.Array) -> Rewritten:
        """Return the new texts and what each reason took out."""
        offsets, data = text_buffers(pc.struct_field(block, "removed"))
        books = data[int(offsets[0]) : int(offsets[-1])].view(np.int64).reshape(len(block), len(REASONS), 2)
        removed = {name: (books[:, number, 0], books[:, number, 1]) for number, name in enumerate(REASONS) if number}
        return Rewritten(pc.struct_field(block, "text"), removed)


@family(source=C4, english=("datatrove",))
def c4_quality(
    *,
    variant: str = "tamis",
    min_sentences: Bound = 5.0,
    min_line_words: Bound = 3.0,
    max_word_letters: Bound = 1000.0,
    ended_lines: bool = True,
    javascript: bool = True,
    policy: bool = True,
    lorem_ipsum: bool = True,
    curly_bracket: bool = True,
    citations: bool = True,
    sentences: Callable[[str], list[str]] | None = None,
) -> Chain:
    """Take out lines that are no prose, and drop documents by what is left.

    `ended_lines`, `javascript` and `policy` are reasons for a line to go, `lorem_ipsum` and `curly_bracket` for a
    document; `citations` takes [1], [edit] and [citation needed] out first. FineWeb sets `ended_lines = false`.
    `sentences` splits a line for the variant "datatrove" (by default, as many as we count).
    Raises `UnknownNameError` on another variant.
    """
    options = (ended_lines, javascript, policy)
    if variant == "tamis":
        prepared = Signal("c4_prepared", ("text", LINES), Prepared(citations), type=_PREPARED)
        judge = JudgedLines(min_line_words, max_word_letters, options)
        judged = Signal("c4_judged", (prepared, "language?"), judge, type=_JUDGED)
        take = Rewrite("c4_lines", (prepared, judged), TakeLines())
    elif variant == "datatrove":
        block = C4Block(
            min_line_words, max_word_letters, *options, citations, lorem_ipsum, curly_bracket, sentences=sentences
        )
        judged = Signal("datatrove_c4", ("text", "language?"), block, type=BLOCK)
        take = Rewrite("c4_lines", (judged,), TakeBlock())
    else:
        raise errors.unknown("variant of c4_quality", variant, VARIANTS)
    tops = (0.0 if lorem_ipsum else OPEN, 0.0 if curly_bracket else OPEN)
    return Chain(*_rules(judged, min_sentences, tops), take)


def _rules(judged: Signal, min_sentences: Bound, tops: tuple[float, float]) -> list[Rule]:
    asked = Signal("c4_asked", (judged,), Field("asked"), type=pa.large_binary())
    counts = [Signal(name, (asked,), Count(ASKED, name), type=pa.int64()) for name in ASKED]
    found = [keep(signal, at_most=top) for signal, top in zip(counts, tops, strict=False) if top == 0.0]
    return [*found, keep(counts[2], at_least=min_sentences)]


def _cited(text: pa.Array, lines: Lines) -> np.typing.NDArray[np.int64]:
    """Return the rows with a citation; the expression is tried only where the walk saw what begins like one."""
    seen = np.flatnonzero(lines.records[:, FLAGS] & CITED)
    rows = np.unique(np.searchsorted(lines.offsets, seen, side="right") - 1)
    found = pc.match_substring_regex(text.take(pa.array(rows)), _CITATION)
    cited: np.typing.NDArray[np.int64] = rows[found.to_numpy(zero_copy_only=False)]
    return cited


def _without_citations(
    text: pa.Array, lines: pa.Array, cited: np.typing.NDArray[np.int64]
) -> tuple[pa.Array, pa.Array]:
    """Return texts and lines with the cited rows made anew."""
    changed = pc.replace_substring_regex(text.take(pa.array(cited)), _CITATION, "")
    walked = measure(changed, stop_tables({}), runs=False).lines.to_arrow()
    rows = np.zeros(len(text), bool)
    rows[cited] = True
    mask = pa.array(rows)
    return pc.replace_with_mask(text, mask, changed), pc.replace_with_mask(lines, mask, walked)


def _binary(offsets: np.typing.NDArray[np.int64], values: np.typing.NDArray[np.generic]) -> pa.Array:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)
