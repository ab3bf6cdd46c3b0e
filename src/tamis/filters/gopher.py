"""Gopher's quality rules: Rae et al. 2021, arXiv 2112.11446, §A1.1.

We differ by default (variant "tamis"): words are those of every script, their length counts letters by what a letter
of their script is worth, signs standing alone count as words without a letter, and stop words are the language's own.
Bounds are lowered or raised for a language by the facts of `data/languages.tsv`. The variant "datatrove" is datatrove's
`GopherQualityFilter`, definition by definition; "dolma", "dclm" and "paper" are in `variants`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from tamis import errors
from tamis.bounds import Bound, PerLanguage
from tamis.filters.chain import Chain
from tamis.filters.datatrove import QUALITY, Quality, pick
from tamis.filters.families import family
from tamis.filters.rule import OPEN, keep
from tamis.filters.signal import Signal, register
from tamis.filters.variants import STOP_WORDS, TYPE, Variant
from tamis.filters.walked import (
    Field,
    default_line_counts,
    line_share,
    own_stop_words,
    scaled,
    word_share,
    word_signal,
)
from tamis.text.stopwords import wanted_stop_words

GOPHER = "Rae et al. 2021, arXiv 2112.11446, §A1.1"
VARIANTS = ("tamis", "datatrove")
OLD_VARIANTS = ("dolma", "dclm", "paper")

ENGLISH_STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

word_count = register(word_signal("word_count", "words"))
mean_word_letters = register(word_share("mean_word_letters", ["worth"], ["words"], 16))
hash_word_ratio = register(word_share("hash_word_ratio", ["hashes"], ["words"]))
ellipsis_word_ratio = register(word_share("ellipsis_word_ratio", ["ellipses"], ["words"]))
lettered_word_share = register(word_share("lettered_word_share", ["lettered_words"], ["words", "symbol_tokens"]))
stop_word_count = register(word_signal("stop_word_count", "stop_words"))
bullet_line_share = register(line_share(default_line_counts(), "bullet_line_share", "bullet_lines", "lines"))
ellipsis_line_share = register(line_share(default_line_counts(), "ellipsis_line_share", "ellipsis_lines", "lines"))


@family(source=GOPHER, english=("datatrove", *OLD_VARIANTS))
def gopher_quality(
    *,
    variant: str = "tamis",
    min_words: Bound | None = None,
    max_words: Bound = 100_000.0,
    min_mean_word_letters: Bound | None = None,
    max_mean_word_letters: Bound | None = None,
    max_hash_ratio: Bound = 0.1,
    max_ellipsis_ratio: Bound = 0.1,
    max_bullet_lines: Bound = 0.9,
    max_ellipsis_lines: Bound = 0.3,
    min_lettered_words: Bound = 0.8,
    min_stop_words: Bound | None = None,
    stop_words: Sequence[str] = (),
    words: Callable[[str], list[str]] | None = None,
) -> Chain:
    """Drop documents that are too short or long, or whose words, symbols and lines are not those of prose.

    Bounds that are not given are Gopher's (50 words; words of 3 to 10 letters; 2 stop words), in the variant "tamis"
    fitted to each language. `stop_words` replace the tables of the languages; a language without a table passes that
    rule. `words` splits texts for the variant "datatrove" (by default our own words).
    Raises `UnknownNameError` on another variant.
    """
    fit = variant == "tamis"
    low, high = (_fitted("min"), _fitted("max")) if fit else (3.0, 10.0)
    bounds = {
        "word_count": (min_words if min_words is not None else (_fitted("words") if fit else 50.0), max_words),
        "mean_word_letters": (
            low if min_mean_word_letters is None else min_mean_word_letters,
            high if max_mean_word_letters is None else max_mean_word_letters,
        ),
        "hash_word_ratio": (OPEN, max_hash_ratio),
        "ellipsis_word_ratio": (OPEN, max_ellipsis_ratio),
        "bullet_line_share": (OPEN, max_bullet_lines),
        "ellipsis_line_share": (OPEN, max_ellipsis_lines),
        "lettered_word_share": (min_lettered_words, OPEN),
        "stop_word_count": (_stop_bound(min_stop_words, with_tables=fit and not stop_words), OPEN),
    }
    signals = _signals(variant, tuple(stop_words), words)
    return Chain(*(keep(signals[name], at_least=least, at_most=most) for name, (least, most) in bounds.items()))


def _signals(variant: str, stop_words: tuple[str, ...], words: Callable[[str], list[str]] | None) -> dict[str, Signal]:
    if variant == "datatrove":
        stops = stop_words or ENGLISH_STOP_WORDS
        base = Signal("datatrove_quality", ("text",), Quality(words, frozenset(stops)), type=pa.large_binary())
        return {name: pick(base, QUALITY, name) for name in QUALITY}
    if variant in OLD_VARIANTS:
        whole = Signal(f"{variant}_quality", ("text",), Variant(variant, stop_words or STOP_WORDS), type=TYPE)
        return {name: Signal(name, (whole,), Field(name)) for name in QUALITY}
    if variant != "tamis":
        raise errors.unknown("variant of gopher_quality", variant, (*VARIANTS, *OLD_VARIANTS))
    ours = (
        word_count,
        mean_word_letters,
        hash_word_ratio,
        ellipsis_word_ratio,
        bullet_line_share,
        ellipsis_line_share,
        lettered_word_share,
        stop_word_count,
    )
    own = {"stop_word_count": own_stop_words(stop_words)} if stop_words else {}
    return {signal.name: signal for signal in ours} | own


def _fitted(which: str) -> PerLanguage:
    if which == "words":
        return scaled(50.0, "word_ratio", up=False)
    return scaled(10.0, "word_letters", up=True) if which == "max" else scaled(3.0, "word_letters", up=False)


def _stop_bound(bound: Bound | None, *, with_tables: bool) -> Bound:
    """Return Gopher's two stop words, or where the languages' own tables are asked, a bound that leaves the languages
    without one open, and that asks of the others what clean text has."""
    if not with_tables:
        return 2.0 if bound is None else bound
    if bound is None:
        return PerLanguage(OPEN, wanted_stop_words())
    wanted = bound if isinstance(bound, PerLanguage) else PerLanguage(bound)
    return PerLanguage(OPEN, {code: wanted.of(code) for code in wanted_stop_words()})
