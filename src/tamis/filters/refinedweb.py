"""RefinedWeb's line corrections: Penedo et al. 2023, arXiv 2306.01116, appendix G.2, numbers as DCLM publishes them.

Lines that are mostly capitals or nothing but digits, that count something ("3 likes"), hold a single word, or are short
and speak of a cart, a sign-in or reading more, are taken out. A document that would lose more than a share of its words
is dropped instead.

We differ: words and letters are those of every script (one without capitals has no line of capitals), and the phrases
count anywhere in a short line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis import bounds
from tamis.bounds import Bound
from tamis.columns import text_buffers
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.line_rules import book
from tamis.filters.rewrites import Rewrite, Rewritten
from tamis.filters.rule import keep
from tamis.filters.signal import Signal
from tamis.filters.walked import LINES, Field
from tamis.text import unicode as u
from tamis.text.kernel import kernel
from tamis.text.lines import END, START, WORDS, Lines, join_lines
from tamis.text.phrases import Phrases, find

REFINEDWEB = "Penedo et al. 2023, arXiv 2306.01116, appendix G.2"

REASONS = ("", "line_capitals", "line_digits", "line_counter", "line_too_few_words", "line_interface")
_CAPITALS, _DIGITS, _COUNTER, _FEW, _INTERFACE = range(1, 6)

# Parts of interfaces first, then what is counted: likes and the like.
_INTERFACE_PHRASES = ("items in cart", "read more...", "sign-in")
_COUNTED = (
    "likes",
    "shares",
    "comments",
    "retweets",
    "reposts",
    "quotes",
    "bookmarks",
    "upvotes",
    "downvotes",
    "downloads",
    "views",
    "followers",
)
_INTERFACE_BITS = (1 << len(_INTERFACE_PHRASES)) - 1

_JUDGED = pa.struct([pa.field("reasons", pa.large_binary()), pa.field("removed_word_share", pa.float64())])
_CLASS, _LETTER, _DIGIT, _UPPER, _SPACE = u.CLASS_MASK, u.LETTER, u.DIGIT, u.UPPER, u.SPACE
_decode, _look_up = u.decode, u.look_up


@dataclass(frozen=True, slots=True)
class JudgedLines:
    """Which lines go and why (one byte each), and the share of words that go with them."""

    bounds: tuple[Bound, Bound, Bound, Bound]

    def __call__(self, text: pa.Array, lines: pa.Array, language: pa.Array) -> pa.Array:
        """Return both as a struct column."""
        found, rows = Lines.of(lines), len(text)
        limits = np.stack([bounds.resolve(bound, language, rows) for bound in self.bounds])
        reasons, share = np.zeros(len(found.records), np.uint8), np.zeros(rows, np.float64)
        phrases = Phrases.of((*_INTERFACE_PHRASES, *_COUNTED)).arrays()
        _judge(*text_buffers(text), u.table(), found.offsets, found.records, limits, phrases, reasons, share)
        buffers = [None, pa.py_buffer(found.offsets), pa.py_buffer(reasons)]
        parts = [pa.Array.from_buffers(pa.large_binary(), rows, buffers), pa.array(share)]
        return pa.StructArray.from_arrays(parts, fields=list(_JUDGED))


@dataclass(frozen=True, slots=True)
class TakeLines:
    """The rewrite: the lines that stay, one a line."""

    def __call__(self, text: pa.Array, lines: pa.Array, judged: pa.Array) -> Rewritten:
        """Return the new texts and what each reason took out."""
        text, found = pc.fill_null(text, ""), Lines.of(lines)
        offsets, data = text_buffers(pc.struct_field(judged, "reasons"))
        reasons: npt.NDArray[np.uint8] = data[int(offsets[0]) : int(offsets[-1])]
        books = np.zeros((len(REASONS), 2, len(text)), np.int64)
        book(*text_buffers(text), found.offsets, found.records, reasons, books)
        removed = {name: (books[number, 0], books[number, 1]) for number, name in enumerate(REASONS) if number}
        made, kept = join_lines(text, found, reasons == 0)
        return Rewritten(made, removed, {LINES: kept.to_arrow()})


@family(source=REFINEDWEB)
def refinedweb_lines(
    *,
    max_capitals: Bound = 0.5,
    max_digits: Bound = 0.999999,
    min_line_words: Bound = 2.0,
    short_line_words: Bound = 10.0,
    max_removed_words: Bound = 0.05,
) -> Chain:
    """Take out lines of capitals, digits, counters and interfaces; drop documents that would lose too many words.

    `max_capitals` is a share of the line's letters, `max_digits` of its characters other than white space;
    `short_line_words` says up to how many words a line may be an interface's.
    """
    limits = (max_capitals, max_digits, min_line_words, short_line_words)
    judged = Signal("refinedweb_judged", ("text", LINES, "language?"), JudgedLines(limits), type=_JUDGED)
    share = Signal("removed_word_share", (judged,), Field("removed_word_share"))
    take = Rewrite("refinedweb_lines", ("text", LINES, judged), TakeLines())
    return Chain(keep(share, at_most=max_removed_words), take)


@kernel
def _judge(
    offsets: Any,
    data: Any,
    table: Any,
    line_offsets: Any,
    records: Any,
    limits: Any,
    phrases: Any,
    reasons: Any,
    share: Any,
) -> None:
    texts, sizes, anchors, first, following = phrases
    for row in range(len(offsets) - 1):
        words, gone = 0, 0
        for line in range(line_offsets[row], line_offsets[row + 1]):
            at, end = offsets[row] + records[line, START], offsets[row] + records[line, END]
            begin, in_line = at, records[line, WORDS]
            letters, capitals, digits, others, leading = 0, 0, 0, 0, 0
            while at < end:
                point, at = _decode(data, at, end)
                entry = _look_up(table, point)
                kind = entry & _CLASS
                letters += kind == _LETTER
                capitals += entry & _UPPER != 0
                others += kind != _SPACE
                if kind == _DIGIT:
                    digits += 1
                    leading += letters == 0
            reason = 0
            if letters > 0 and capitals > limits[0, row] * letters:
                reason = _CAPITALS
            elif others > 0 and digits > limits[1, row] * others:
                reason = _DIGITS
            elif in_line < limits[2, row]:
                reason = _FEW
            elif in_line <= limits[3, row]:
                found = find(data, begin, end, texts, sizes, anchors, first, following)
                if in_line == 2 and leading > 0 and found > _INTERFACE_BITS:
                    reason = _COUNTER
                elif found & _INTERFACE_BITS:
                    reason = _INTERFACE
            reasons[line] = reason
            words += in_line
            gone += in_line if reason else 0
        share[row] = gone / words if words else 0.0
