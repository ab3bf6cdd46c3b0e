"""Gopher's repetition rules: Rae et al. 2021, arXiv 2112.11446, table A1.

We differ by default (variant "tamis"): lines, paragraphs and words are compared by case-folded words, and shares are of
the letters of all words, by what a letter of their script is worth; repeated parts count after their first occurrence,
and an n-gram that stands once is no top n-gram. The variant "datatrove" is its `GopherRepetitionFilter`.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from tamis import errors
from tamis.bounds import Bound
from tamis.filters.chain import Chain
from tamis.filters.datatrove import REPETITION, Repetition, pick
from tamis.filters.families import family
from tamis.filters.gopher import VARIANTS, word_count
from tamis.filters.rule import keep
from tamis.filters.signal import Signal, register
from tamis.filters.walked import default_line_counts, line_share, word_share

TABLE_A1 = "Rae et al. 2021, arXiv 2112.11446, table A1"

_LINES = default_line_counts()
repeated_paragraph_share = register(line_share(_LINES, "repeated_paragraph_share", "repeated_paragraphs", "paragraphs"))
repeated_paragraph_char_share = register(
    line_share(_LINES, "repeated_paragraph_char_share", "repeated_paragraph_worth", "worth")
)
repeated_line_share = register(line_share(_LINES, "repeated_line_share", "repeated_lines", "lines"))
repeated_line_char_share = register(line_share(_LINES, "repeated_line_char_share", "repeated_line_worth", "worth"))
_OURS = (
    word_count,
    repeated_paragraph_share,
    repeated_paragraph_char_share,
    repeated_line_share,
    repeated_line_char_share,
    *(register(word_share(f"top_{n}_gram_char_share", [f"top_{n}_gram_worth"], ["worth"])) for n in (2, 3, 4)),
    *(
        register(word_share(f"repeated_{n}_gram_char_share", [f"repeated_{n}_gram_worth"], ["worth"]))
        for n in range(5, 11)
    ),
)


@family(source=TABLE_A1)
def gopher_repetition(
    *,
    variant: str = "tamis",
    max_paragraphs: Bound = 0.3,
    max_paragraph_chars: Bound = 0.2,
    max_lines: Bound = 0.3,
    max_line_chars: Bound = 0.2,
    max_top_2_gram: Bound = 0.2,
    max_top_3_gram: Bound = 0.18,
    max_top_4_gram: Bound = 0.16,
    max_5_grams: Bound = 0.15,
    max_6_grams: Bound = 0.14,
    max_7_grams: Bound = 0.13,
    max_8_grams: Bound = 0.12,
    max_9_grams: Bound = 0.11,
    max_10_grams: Bound = 0.1,
    words: Callable[[str], list[str]] | None = None,
) -> Chain:
    """Drop documents that are empty or in which lines, paragraphs or runs of words stand again too often.

    Bounds are shares in [0, 1]: of lines or paragraphs, or of characters. `words` splits texts for the variant
    "datatrove" (by default our own words). Raises `UnknownNameError` on another variant.
    """
    tops = [
        max_paragraphs,
        max_paragraph_chars,
        max_lines,
        max_line_chars,
        max_top_2_gram,
        max_top_3_gram,
        max_top_4_gram,
        max_5_grams,
        max_6_grams,
        max_7_grams,
        max_8_grams,
        max_9_grams,
        max_10_grams,
    ]
    signals = _signals(variant, words)
    shares = [keep(signal, at_most=top) for signal, top in zip(signals[1:], tops, strict=True)]
    return Chain(keep(signals[0], at_least=1.0), *shares)


def _signals(variant: str, words: Callable[[str], list[str]] | None) -> tuple[Signal, ...]:
    if variant == "tamis":
        return _OURS
    if variant != "datatrove":
        raise errors.unknown("variant of gopher_repetition", variant, VARIANTS)
    base = Signal("datatrove_repetition", ("text",), Repetition(words), type=pa.large_binary())
    return tuple(pick(base, REPETITION, name) for name in REPETITION)
