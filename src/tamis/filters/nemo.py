"""NeMo Curator's heuristic rules on characters: Parmar et al. 2024 (Nemotron-4, arXiv 2402.16819, §2.1), its
`heuristic_filter` defaults.

We differ: letters are those of every script with their marks, and spaces those of Unicode; shares are of code points,
a line break counting as one with the spaces and blank lines around it. Its rules on words and repetition are Gopher's,
and stand there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.bounds import Bound
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.rule import keep
from tamis.filters.signal import Signal, register

# RE2's \s knows ASCII alone.
_SPACE = r"\s\x0b\x{85}\p{Z}"
_BREAK = rf"[{_SPACE}]*[\n\r][{_SPACE}]*"

NEMO = "NeMo Curator, heuristic filters, defaults of its English configuration"


@dataclass(frozen=True, slots=True)
class CharShare:
    """The share of code points that a pattern of one code point matches; 0 for an empty text."""

    pattern: str

    def __call__(self, text: pa.Array) -> npt.NDArray[np.float64]:
        """Return the share of each text, in [0, 1]; null counts as empty."""
        tidy = _tidied(text)
        return _share(pc.count_substring_regex(tidy, self.pattern), tidy)


@dataclass(frozen=True, slots=True)
class UrlShare:
    """The share of code points that stand in addresses."""

    def __call__(self, text: pa.Array) -> npt.NDArray[np.float64]:
        """Return the share of each text, in [0, 1]."""
        full = _tidied(text)
        rest = pc.replace_substring_regex(full, rf"https?://[^{_SPACE}]+", "")
        return _share(pc.subtract(pc.utf8_length(full), pc.utf8_length(rest)), text)


def _tidied(text: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.fill_null(text, ""), _BREAK, "\n"))


def _share(part: pa.Array, text: pa.Array) -> npt.NDArray[np.float64]:
    over = part.to_numpy(zero_copy_only=False).astype(np.float64)
    under = pc.utf8_length(text).to_numpy(zero_copy_only=False).astype(np.float64)
    share: npt.NDArray[np.float64] = np.divide(over, under, out=np.zeros(len(over)), where=under > 0)
    return share


def _chars(name: str, pattern: str) -> Signal:
    return register(Signal(name, ("text",), CharShare(pattern)))


symbol_char_share = _chars("symbol_char_share", rf"[^\p{{L}}\p{{M}}\p{{N}}{_SPACE}]")
digit_char_share = _chars("digit_char_share", r"\p{N}")
space_char_share = _chars("space_char_share", rf"[{_SPACE}]")
bracket_char_share = _chars("bracket_char_share", r"[\p{Ps}\p{Pe}]")
url_char_share = register(Signal("url_char_share", ("text",), UrlShare()))


@family(source=NEMO)
def nemo_rules(
    *,
    max_symbols: Bound = 0.25,
    max_digits: Bound = 0.15,
    max_urls: Bound = 0.2,
    max_spaces: Bound = 0.25,
    max_brackets: Bound = 0.1,
) -> Chain:
    """Drop documents with too many signs, digits, addresses, spaces or brackets; bounds are shares in [0, 1]."""
    bounds = [
        (symbol_char_share, max_symbols),
        (digit_char_share, max_digits),
        (url_char_share, max_urls),
        (space_char_share, max_spaces),
        (bracket_char_share, max_brackets),
    ]
    return Chain(*(keep(signal, at_most=most) for signal, most in bounds))
