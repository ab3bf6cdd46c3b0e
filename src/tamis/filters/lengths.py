"""Rules of length: CCNet's shortest document, mC4's three long lines.

CCNet: Wenzek et al. 2020, arXiv 1911.00359, and its code (documents of 300 characters). mC4: Xue et al. 2021, arXiv
2010.11934, §3.1 (three lines of 200 characters). We differ by default (variant "tamis"): a character counts what a
letter of its script is worth, so that a translation is as long as what it translates; the variants "ccnet" and
"datatrove" count code points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis import errors
from tamis.bounds import Bound
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.rule import keep
from tamis.filters.signal import Signal, register
from tamis.filters.walked import LINES, word_signal
from tamis.text.lines import LONGEST_WORD, WORDS, WORTH, Lines

CCNET = "Wenzek et al. 2020, arXiv 1911.00359, min_len of cc_net"
MC4 = "Xue et al. 2021, arXiv 2010.11934, §3.1"
LONG_LINE = 200


@dataclass(frozen=True, slots=True)
class CodePoints:
    """The code points of each text."""

    def __call__(self, text: pa.Array) -> pa.Array:
        """Return the count; null for null."""
        return pc.utf8_length(text)


@dataclass(frozen=True, slots=True)
class LongLines:
    """The number of lines of at least so many letters, by worth; a gap between words counts as a letter."""

    letters: int

    def __call__(self, lines: pa.Array) -> npt.NDArray[np.int64]:
        """Return the count of each text."""
        found = Lines.of(lines)
        worth = found.records[:, WORTH] + 16 * np.maximum(found.records[:, WORDS] - 1, 0)
        sums: npt.NDArray[np.int64] = np.concatenate([[0], np.cumsum(worth >= 16 * self.letters)])
        counts: npt.NDArray[np.int64] = sums[found.offsets[1:]] - sums[found.offsets[:-1]]
        return counts


@dataclass(frozen=True, slots=True)
class LongRawLines:
    """The number of lines, as "\\n" splits them, of at least so many code points."""

    letters: int

    def __call__(self, text: str | None) -> int:
        """Return the count of one text."""
        return sum(len(line) >= self.letters for line in (text or "").split("\n"))


@dataclass(frozen=True, slots=True)
class LongestWord:
    """The letters of the longest word, by worth."""

    def __call__(self, lines: pa.Array) -> npt.NDArray[np.float64]:
        """Return the letters of each text, 0 where it has no words."""
        found = Lines.of(lines)
        longest = np.append(found.records[:, LONGEST_WORD], 0)
        most = np.maximum.reduceat(longest, found.offsets[:-1]) if len(lines) else longest[:0]
        letters: npt.NDArray[np.float64] = np.where(np.diff(found.offsets) > 0, most / 16, 0.0)
        return letters


longest_word_letters = register(Signal("longest_word_letters", (LINES,), LongestWord()))
letter_count = register(word_signal("letter_count", "worth", 16))


@family(source=CCNET)
def ccnet_length(*, variant: str = "tamis", min_chars: Bound = 300.0) -> Chain:
    """Drop documents shorter than `min_chars`: letters by worth, or code points in the variant "ccnet".

    Spaces and signs are no letters, so the variant "tamis" asks for 4/5 of the number: their share of English.
    Raises `UnknownNameError` on another variant.
    """
    if variant == "ccnet":
        return Chain(keep(Signal("char_count", ("text",), CodePoints(), type=pa.int64()), at_least=min_chars))
    if variant != "tamis":
        raise errors.unknown("variant of ccnet_length", variant, ("tamis", "ccnet"))
    return Chain(keep(letter_count, at_least=0.8 * min_chars if isinstance(min_chars, (int, float)) else min_chars))


@family(source=MC4)
def mc4_paragraphs(*, variant: str = "tamis", min_paragraphs: Bound = 3.0, letters: int = LONG_LINE) -> Chain:
    """Drop documents with fewer than `min_paragraphs` lines of `letters` letters.

    The variant "datatrove" is its `C4ParagraphFilter`: code points between "\\n". Raises `UnknownNameError` on another.
    """
    if variant == "datatrove":
        counted = Signal("long_line_count", ("text",), LongRawLines(letters), per_row=True, type=pa.int64())
    elif variant == "tamis":
        counted = Signal("long_line_count", (LINES,), LongLines(letters), type=pa.int64())
    else:
        raise errors.unknown("variant of mc4_paragraphs", variant, ("tamis", "datatrove"))
    return Chain(keep(counted, at_least=min_paragraphs))
