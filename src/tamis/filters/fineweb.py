"""FineWeb's quality rules: Penedo et al. 2024, arXiv 2406.17557, §3.6.

We differ by default (variant "tamis"): a line ends a sentence if it ends as sentences do in its script, its length
counts letters by what they are worth, and line breaks are those between lines that are not blank. The variant
"datatrove" is its `FineWebQualityFilter`.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from tamis import errors
from tamis.bounds import Bound, PerLanguage
from tamis.filters.chain import Chain
from tamis.filters.datatrove import FINEWEB, FineWeb, pick
from tamis.filters.families import family
from tamis.filters.gopher import VARIANTS
from tamis.filters.rule import OPEN, keep
from tamis.filters.signal import Signal, register
from tamis.filters.walked import default_line_counts, line_counts, line_share, line_signal

FINEWEB_PAPER = "Penedo et al. 2024, arXiv 2406.17557, §3.6"
SHORT = 30.0


def _ours(counts: Signal) -> tuple[Signal, ...]:
    return (
        line_signal(counts, "line_count", "lines"),
        line_share(counts, "ended_line_share", "ended_lines", "lines"),
        line_share(counts, "short_line_share", "short_lines", "lines"),
        line_share(counts, "repeated_line_char_share", "repeated_line_worth", "worth"),
        line_share(counts, "line_break_word_ratio", "lines", "words", less=1),
    )


_DEFAULT = tuple(
    signal if signal.name == "repeated_line_char_share" else register(signal) for signal in _ours(default_line_counts())
)


ended_line_share = _DEFAULT[1]


@family(source=FINEWEB_PAPER)
def fineweb_quality(
    *,
    variant: str = "tamis",
    min_ended_lines: Bound = 0.12,
    max_short_lines: Bound = 0.67,
    short_line_letters: Bound = SHORT,
    max_repeated_line_chars: Bound = 0.01,
    max_breaks_per_word: Bound = 0.3,
    words: Callable[[str], list[str]] | None = None,
) -> Chain:
    """Drop documents made of lists: few lines that end a sentence, many short lines, repeated lines, many breaks.

    Bounds are shares in [0, 1], `max_breaks_per_word` a ratio; a line is short up to `short_line_letters`. `words`
    splits texts for the variant "datatrove" (by default our own words). Raises `UnknownNameError` on another variant.
    """
    bounds = [
        (1.0, OPEN),
        (min_ended_lines, OPEN),
        (OPEN, max_short_lines),
        (OPEN, max_repeated_line_chars),
        (OPEN, max_breaks_per_word),
    ]
    signals = _signals(variant, short_line_letters, words)
    return Chain(
        *(keep(signal, at_least=low, at_most=high) for signal, (low, high) in zip(signals, bounds, strict=True))
    )


def _signals(variant: str, short: Bound, words: Callable[[str], list[str]] | None) -> tuple[Signal, ...]:
    if variant == "tamis":
        return _DEFAULT if short == SHORT else _ours(line_counts(short))
    if variant != "datatrove":
        raise errors.unknown("variant of fineweb_quality", variant, VARIANTS)
    if isinstance(short, PerLanguage):
        raise errors.ConfigError("The variant datatrove takes one `short_line_letters`.", "Give a number.")
    base = Signal("datatrove_fineweb", ("text",), FineWeb(words, short), type=pa.large_binary())
    return tuple(pick(base, FINEWEB, name) for name in FINEWEB)
