"""RedPajama-v2's quality signals: Weber et al. 2024, arXiv 2411.12372, appendix C, as its published code defines them.

They are English by definition (ASCII punctuation, ASCII letters) and are reproduced as such; the script-fair measures
of the same things are those of the other families. Line signals, lists in the original, are given as their mean over
lines. The signals of other files and models are not here: `bad_words`, `url_rules` and `perplexity` measure those.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tamis.bounds import Bound
from tamis.filters import redpajama_runs as runs
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.rule import OPEN, keep
from tamis.filters.signal import Signal
from tamis.text.stopwords import stop_words as default_stop_words

RPV2 = "Weber et al. 2024, arXiv 2411.12372"
SIGNALS = (
    "rps_doc_word_count",
    "rps_doc_num_sentences",
    "rps_doc_mean_word_length",
    "rps_doc_symbol_to_word_ratio",
    "rps_doc_frac_lines_end_with_ellipsis",
    "rps_doc_frac_no_alph_words",
    "rps_doc_frac_unique_words",
    "rps_doc_unigram_entropy",
    "rps_doc_frac_all_caps_words",
    "rps_doc_lorem_ipsum",
    "rps_doc_curly_bracket",
    "rps_lines_ending_with_terminal_punctution_mark",
    "rps_lines_javascript_counts",
    "rps_lines_num_words",
    "rps_lines_numerical_chars_fraction",
    "rps_lines_start_with_bulletpoint",
    "rps_lines_uppercase_letter_fraction",
    *runs.NAMES,
    "rps_doc_stop_word_fraction",
)
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_STRIP = str.maketrans("", "", _PUNCTUATION)
_RAW_WORD = re.compile(r"\w+|[^\w\s]+")  # lint: variant
_SENTENCE = re.compile(r"\b[^.!?]+[.!?]*")  # lint: variant
_LINE = re.compile(r"[^\n]*\n|[^\n]+$")
_BULLETS = ("\u2022", "\u2023", "\u25b6", "\u25c0", "\u25e6", "\u25a0", "\u25a1", "\u25aa", "\u25ab", "\u2013")
_MEASURED = pa.struct([pa.field(name, pa.float64()) for name in SIGNALS])


@dataclass(frozen=True, slots=True)
class Measure:
    """All signals of each text in one go, as a struct column."""

    stops: frozenset[str] = frozenset()

    def __call__(self, text: pa.Array) -> pa.Array:
        """Return the signals; those without a value for an empty text are null."""
        return pa.array([measure(each or "", self.stops) for each in text.to_pylist()], _MEASURED)


@dataclass(frozen=True, slots=True)
class Part:
    """One of them."""

    name: str

    def __call__(self, measured: pa.Array) -> pa.Array:
        """Return the field."""
        return pc.struct_field(measured, self.name)


@family(source=RPV2, english=("*",))
def redpajama_signals(
    *,
    min_words: Bound = OPEN,
    min_sentences: Bound = OPEN,
    max_symbol_ratio: Bound = OPEN,
    max_ellipsis_lines: Bound = OPEN,
    max_no_alpha_words: Bound = OPEN,
    min_unique_words: Bound = OPEN,
    min_entropy: Bound = OPEN,
    max_caps_words: Bound = OPEN,
    min_terminal_lines: Bound = OPEN,
    max_top_2_gram: Bound = OPEN,
    max_top_3_gram: Bound = OPEN,
    max_top_4_gram: Bound = OPEN,
    max_5_grams: Bound = OPEN,
    max_6_grams: Bound = OPEN,
    max_7_grams: Bound = OPEN,
    max_8_grams: Bound = OPEN,
    max_9_grams: Bound = OPEN,
    max_10_grams: Bound = OPEN,
    min_stop_words: Bound = OPEN,
    stop_words: Sequence[str] = (),
) -> Chain:
    """Measure RedPajama-v2's signals of every document, as columns; drop only by the bounds that are given.

    `min_stop_words` is the share of raw words that are among `stop_words`, by default the package's English ones (the
    original takes a list of its own).
    """
    bounds = {
        "rps_doc_word_count": (min_words, OPEN),
        "rps_doc_num_sentences": (min_sentences, OPEN),
        "rps_doc_symbol_to_word_ratio": (OPEN, max_symbol_ratio),
        "rps_doc_frac_lines_end_with_ellipsis": (OPEN, max_ellipsis_lines),
        "rps_doc_frac_no_alph_words": (OPEN, max_no_alpha_words),
        "rps_doc_frac_unique_words": (min_unique_words, OPEN),
        "rps_doc_unigram_entropy": (min_entropy, OPEN),
        "rps_doc_frac_all_caps_words": (OPEN, max_caps_words),
        "rps_lines_ending_with_terminal_punctution_mark": (min_terminal_lines, OPEN),
        "rps_doc_stop_word_fraction": (min_stop_words, OPEN),
    }
    tops = (max_top_2_gram, max_top_3_gram, max_top_4_gram, max_5_grams, max_6_grams, max_7_grams, max_8_grams,
            max_9_grams, max_10_grams)  # fmt: skip
    bounds |= {name: (OPEN, top) for name, top in zip(runs.NAMES, tops, strict=True)}
    stops = frozenset(stop_words or default_stop_words()["eng_Latn"])
    whole = Signal("rps", ("text",), Measure(stops), type=_MEASURED)
    parts = {name: Signal(name, (whole,), Part(name)) for name in SIGNALS}
    pairs = [(name, *bounds.get(name, (OPEN, OPEN))) for name in SIGNALS]
    return Chain(*(keep(parts[name], at_least=low, at_most=high) for name, low, high in pairs))


def normalised(text: str) -> str:
    """Return the text without ASCII punctuation, in lower case, spaces collapsed, NFD: RedPajama's `normalize`."""
    lowered = text.translate(_STRIP).lower().strip()
    return unicodedata.normalize("NFD", re.sub(r"\s+", " ", lowered))


def measure(text: str, stops: frozenset[str] = frozenset()) -> dict[str, float | None]:
    """Return every signal of one text by name."""
    plain, raw = normalised(text), _RAW_WORD.findall(text)
    stopped = sum(word in stops for word in raw) / len(raw) if plain and raw else 0.0
    repeated = runs.measure(plain.split())  # lint: variant
    return _of_document(text, plain) | _of_lines(text) | repeated | {"rps_doc_stop_word_fraction": stopped}


def _of_document(text: str, plain: str) -> dict[str, float | None]:
    words = plain.split()  # lint: variant
    raw = _RAW_WORD.findall(text)
    lines = _LINE.findall(text)
    counts = Counter(words).values()
    return {
        "rps_doc_word_count": float(len(words)),
        "rps_doc_num_sentences": float(len(_SENTENCE.findall(text))),
        "rps_doc_mean_word_length": _share(sum(map(len, words)), len(words)),
        "rps_doc_symbol_to_word_ratio": _share(sum(text.count(sign) for sign in ("#", "...", "…")), len(raw)),
        "rps_doc_frac_lines_end_with_ellipsis": _share(
            sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)
        ),
        "rps_doc_frac_no_alph_words": _share(sum(re.search("[a-zA-Z]", word) is None for word in raw), len(raw)),
        "rps_doc_frac_unique_words": _share(len(counts), len(words)),
        "rps_doc_unigram_entropy": -sum(n / len(words) * math.log(n / len(words)) for n in counts) if words else None,
        "rps_doc_frac_all_caps_words": _share(sum(map(str.isupper, raw)), len(raw)),
        "rps_doc_lorem_ipsum": _share(plain.count("lorem ipsum"), len(plain)) or 0.0,
        "rps_doc_curly_bracket": _share(text.count("{") + text.count("}"), len(text)) or 0.0,
    }


def _of_lines(text: str) -> dict[str, float | None]:
    lines = _LINE.findall(text)
    plain = [normalised(line) for line in lines]
    total = len(lines)
    return {
        "rps_lines_ending_with_terminal_punctution_mark": _share(
            sum(line.rstrip().endswith((".", "!", "?", "”")) for line in lines), total
        ),
        "rps_lines_javascript_counts": _share(
            sum(line.split().count("javascript") for line in plain),  # lint: variant
            total,
        ),
        "rps_lines_num_words": _share(sum(len(line.split()) for line in plain), total),  # lint: variant
        "rps_lines_numerical_chars_fraction": _share(
            sum((_share(sum(map(str.isnumeric, line)), len(line)) or 0.0) for line in plain), total
        ),
        "rps_lines_start_with_bulletpoint": _share(sum(line.lstrip().startswith(_BULLETS) for line in lines), total),
        "rps_lines_uppercase_letter_fraction": _share(
            sum((_share(sum(map(str.isupper, line)), len(line)) or 0.0) for line in lines), total
        ),
    }


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
