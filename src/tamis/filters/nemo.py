"""NeMo Curator's heuristic rules: Parmar et al. 2024 (Nemotron-4, arXiv 2402.16819, §2.1), its `heuristic_filter`
classes with their defaults, in the order of its English configuration.

We differ: letters are those of every script with their marks, spaces those of Unicode, and words, lines and runs of
words those of the other families, with Gopher's bounds fitted to each language where they are fitted there. Shares of
characters are of code points (that of spaces, of letters by their worth), a line break counting as one with the spaces
and blank lines around it. Its rules on repetition keep a share of what is unique; here the same bounds are of what is
repeated. Its top n-grams drop a text too short to have any; here they do not. Common English words are the stop words
of each language.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.bounds import Bound
from tamis.filters import gopher, repetition
from tamis.filters.boilerplate import BoilerplateShare
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.fineweb import ended_line_share
from tamis.filters.lengths import longest_word_letters
from tamis.filters.rule import OPEN, Rule, keep
from tamis.filters.signal import Signal, register
from tamis.filters.walked import COUNTS, LINES, Count, word_share
from tamis.text.measure import COLUMNS

# RE2's \s knows ASCII alone.
_SPACE = r"\s\x0b\x{85}\p{Z}"
_BREAK = rf"[{_SPACE}]*[\n\r][{_SPACE}]*"
# What stands between the syllables of Tibetan, and between the words of old Ethiopic, is no sign.
_SIGN = rf"[^\p{{L}}\p{{M}}\p{{N}}{_SPACE}\x{{F0B}}\x{{F0C}}\x{{1361}}]"

NEMO = "Parmar et al. 2024, arXiv 2402.16819, §2.1, with the defaults of NeMo Curator for English"


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


@dataclass(frozen=True, slots=True)
class SpaceShare:
    """The share of spaces among spaces, signs and letters, a letter counting what it is worth: Korean words of three
    letters have no more space between them than English ones of five."""

    def __call__(self, text: pa.Array, counts: pa.Array) -> npt.NDArray[np.float64]:
        """Return the share of each text, in [0, 1]."""
        tidy = _tidied(text)
        spaces, signs = (
            pc.count_substring_regex(tidy, pattern).to_numpy(zero_copy_only=False).astype(np.float64)
            for pattern in (rf"[{_SPACE}]", _SIGN)
        )
        whole = spaces + signs + Count(COLUMNS, "worth", 16)(counts)
        share: npt.NDArray[np.float64] = np.divide(spaces, whole, out=np.zeros(len(whole)), where=whole > 0)
        return share


def _tidied(text: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.fill_null(text, ""), _BREAK, "\n"))


def _share(part: pa.Array, text: pa.Array) -> npt.NDArray[np.float64]:
    over = part.to_numpy(zero_copy_only=False).astype(np.float64)
    under = pc.utf8_length(text).to_numpy(zero_copy_only=False).astype(np.float64)
    share: npt.NDArray[np.float64] = np.divide(over, under, out=np.zeros(len(over)), where=under > 0)
    return share


def _chars(name: str, pattern: str) -> Signal:
    return register(Signal(name, ("text",), CharShare(pattern)))


symbol_char_share = _chars("symbol_char_share", _SIGN)
digit_char_share = _chars("digit_char_share", r"\p{N}")
bracket_char_share = _chars("bracket_char_share", r"[\p{Ps}\p{Pe}]")
space_char_share = register(Signal("space_char_share", ("text", COUNTS), SpaceShare()))
url_char_share = register(Signal("url_char_share", ("text",), UrlShare()))
symbol_word_ratio = register(word_share("symbol_word_ratio", ["hashes", "ellipses"], ["words"]))
boilerplate_paragraph_share = register(
    Signal("boilerplate_paragraph_share", ("text", "language?", LINES), BoilerplateShare())
)


@family(source=NEMO)
def nemo_rules(
    *,
    max_symbols: Bound = 0.25,
    max_symbol_ratio: Bound = 0.1,
    max_digits: Bound = 0.15,
    max_urls: Bound = 0.2,
    max_spaces: Bound = 0.25,
    max_brackets: Bound = 0.1,
    max_boilerplate: Bound = 0.4,
    max_repeated_lines: Bound = 0.3,
    max_repeated_paragraphs: Bound = 0.3,
    max_repeated_line_chars: Bound = 0.2,
    max_repeated_paragraph_chars: Bound = 0.2,
    min_words: Bound | None = None,
    max_words: Bound = 100_000.0,
    min_ended_lines: Bound = 0.15,
    min_mean_word_letters: Bound | None = None,
    max_mean_word_letters: Bound | None = None,
    max_word_letters: Bound = 1000.0,
    max_ellipsis_lines: Bound = 0.3,
    max_bullet_lines: Bound = 0.9,
    min_stop_words: Bound | None = None,
    min_lettered_words: Bound = 0.8,
    runs: bool = True,
) -> Chain:
    """Drop documents with too many signs, digits, addresses, spaces or brackets, of boilerplate, or that are no prose.

    Bounds are shares in [0, 1], counts of words or letters, and a ratio (`max_symbol_ratio`, of # and … to words).
    Boilerplate is counted by paragraph, and whole where it stands in the first or last. `runs` are the rules on
    n-grams, which are Gopher's with their bounds. Bounds not given are fitted to each language as in `gopher_quality`.
    """
    bounds = [
        (symbol_char_share, OPEN, max_symbols),
        (symbol_word_ratio, OPEN, max_symbol_ratio),
        (digit_char_share, OPEN, max_digits),
        (url_char_share, OPEN, max_urls),
        (space_char_share, OPEN, max_spaces),
        (bracket_char_share, OPEN, max_brackets),
        (boilerplate_paragraph_share, OPEN, max_boilerplate),
        (repetition.repeated_line_share, OPEN, max_repeated_lines),
        (repetition.repeated_paragraph_share, OPEN, max_repeated_paragraphs),
        (repetition.repeated_line_char_share, OPEN, max_repeated_line_chars),
        (repetition.repeated_paragraph_char_share, OPEN, max_repeated_paragraph_chars),
        (ended_line_share, min_ended_lines, OPEN),
        (longest_word_letters, OPEN, max_word_letters),
    ]
    words = gopher.gopher_quality(
        min_words=min_words,
        max_words=max_words,
        min_mean_word_letters=min_mean_word_letters,
        max_mean_word_letters=max_mean_word_letters,
        max_ellipsis_lines=max_ellipsis_lines,
        max_bullet_lines=max_bullet_lines,
        min_stop_words=min_stop_words,
        min_lettered_words=min_lettered_words,
    )
    chars = [keep(signal, at_least=low, at_most=high) for signal, low, high in bounds]
    return Chain(*chars, *_without(words, "hash_word_ratio", "ellipsis_word_ratio"), *(_runs() if runs else ()))


def _without(chain: Chain, *reasons: str) -> list[Rule]:
    return [step for step in chain.steps if isinstance(step, Rule) and step.reason not in reasons]


def _runs() -> list[Rule]:
    found = repetition.gopher_repetition().steps
    return [step for step in found if isinstance(step, Rule) and step.reason.endswith("_gram_char_share")]
