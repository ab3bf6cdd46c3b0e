"""Every bound of every family: a document just inside passes, the same just outside is dropped for that reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tamis.filters import (
    Chain,
    bad_words,
    boilerplate_lines,
    c4_quality,
    ccnet_length,
    chains,
    fineweb_quality,
    gopher_quality,
    gopher_repetition,
    mc4_paragraphs,
    nemo_rules,
    redpajama_signals,
    refinedweb_lines,
    url_rules,
)


def verdict(chain: Chain, text: str, language: str = "eng_Latn") -> str:
    sifted = chain(pa.record_batch({"text": pa.array([text], pa.large_string()), "language": [language]}))
    return sifted.dropped["reason"][0].as_py() if sifted.dropped.num_rows else ""


def numbered(count: int, start: int = 0) -> str:
    """Distinct words of five letters, of which none is a stop word."""
    return " ".join("w" + "".join(chr(97 + (start + n) // 26**p % 26) for p in (3, 2, 1, 0)) for n in range(count))


# (family, its parameter, bound, reason, text with a value v of the measured quantity)
QUALITY = {"min_stop_words": float("nan")}
CASES = [
    (gopher_quality, {"min_words": 50}, "word_count", numbered(50), numbered(49)),
    (gopher_quality, {"max_words": 60}, "word_count", numbered(60), numbered(61)),
    (gopher_quality, {"min_mean_word_letters": 3}, "mean_word_letters", "abc " * 60, "abc " * 59 + "ab"),
    (gopher_quality, {"max_mean_word_letters": 5}, "mean_word_letters", numbered(60), numbered(59) + " abcdef"),
    (gopher_quality, {"max_hash_ratio": 0.1}, "hash_word_ratio", "#" * 6 + numbered(60), "#" * 7 + numbered(60)),
    (gopher_quality, {"max_ellipsis_ratio": 0.1}, "ellipsis_word_ratio", numbered(60) + "…" * 6,
     numbered(60) + "…" * 7),
    (gopher_quality, {"max_bullet_lines": 0.5}, "bullet_line_share", f"- {numbered(30)}\n{numbered(30)}",
     f"- {numbered(30)}\n• {numbered(30)}"),
    (gopher_quality, {"max_ellipsis_lines": 0.5}, "ellipsis_line_share", f"{numbered(30)}\n{numbered(30)}...",
     f"{numbered(30)} …\n{numbered(30)}..."),
    (gopher_quality, {"min_lettered_words": 0.8}, "lettered_word_share", numbered(80) + " 1 2 = * " * 5,
     numbered(80) + " 1 2 = * " * 5 + " 7"),
    (gopher_quality, {"min_stop_words": 2}, "stop_word_count", numbered(60) + " the of", numbered(60) + " the the"),
    (gopher_repetition, {"max_lines": 0.25}, "repeated_line_share", "a x\nb y\nc z\na x", "a x\nb y\nb y\na x"),
    (gopher_repetition, {"max_paragraphs": 0.25}, "repeated_paragraph_share", "a x\n\nb y\n\nc z\n\na x",
     "a x\n\nb y\n\nb y\n\na x"),
    (gopher_repetition, {"max_line_chars": 0.25}, "repeated_line_char_share", "aaaa\nbbbb\ncccc\naaaa",
     "aaaa\nbbbb\nccc\naaaa"),
    (gopher_repetition, {"max_paragraph_chars": 0.25}, "repeated_paragraph_char_share", "aaaa\n\nbbbb\n\ncccc\n\naaaa",
     "aaaa\n\nbbbb\n\nccc\n\naaaa"),
    (gopher_repetition, {"max_top_2_gram": 0.4}, "top_2_gram_char_share", "aa bb cc aa bb dd ee ff gg hh",
     "aa bb cc aa bb dd ee ff gg h"),
    (gopher_repetition, {"max_top_3_gram": 0.6}, "top_3_gram_char_share", "aa bb cc aa bb cc ee ff gg hh",
     "aa bb cc aa bb cc ee ff gg h"),
    (gopher_repetition, {"max_top_4_gram": 0.8}, "top_4_gram_char_share", "aa bb cc dd aa bb cc dd gg hh",
     "aa bb cc dd aa bb cc dd gg h"),
    *[
        (gopher_repetition, {f"max_{n}_grams": 0.25}, f"repeated_{n}_gram_char_share",
         f"{numbered(n)} {numbered(n)} {numbered(2 * n, 500)}",
         f"{numbered(n)} {numbered(n)} {numbered(2 * n - 1, 500)}")
        for n in range(5, 11)
    ],
    (fineweb_quality, {"min_ended_lines": 0.5}, "ended_line_share", f"{numbered(9)}.\n{numbered(8)}",
     f"{numbered(9)}\n{numbered(8)}"),
    (fineweb_quality, {"max_short_lines": 0.5}, "short_line_share", f"{numbered(9)}.\n{'x' * 30}",
     f"{'y' * 30}\n{'x' * 30}."),
    (fineweb_quality, {"max_repeated_line_chars": 0.25}, "repeated_line_char_share", "aaaa.\nbbbb.\ncccc.\naaaa.",
     "aaaa.\nbbbb.\nccc.\naaaa."),
    (fineweb_quality, {"max_breaks_per_word": 0.3}, "line_break_word_ratio", "a b\nc d\ne f\ng h i j.",
     "a b\nc d\ne f\ng h i."),
    (c4_quality, {"min_sentences": 2}, "sentence_count", "One is here now. Two is here now.", "One and two are here."),
    (c4_quality, {"min_line_words": 3}, "sentence_count", "One two three.", "One two."),
    (c4_quality, {"max_word_letters": 10}, "sentence_count", f"One two {'x' * 10}.", f"One two {'x' * 11}."),
    (c4_quality, {}, "lorem_ipsum", "Lorem and ipsum are words.", "Lorem IPSUM are two words."),
    (c4_quality, {}, "curly_bracket", "Some text (here) stands.", "Some text {here} stands."),
    (refinedweb_lines, {"max_removed_words": 0.5}, "removed_word_share", "ALL OF THESE\nnone of these",
     "ALL OF THESE\nnone here"),
]  # fmt: skip

# NeMo's rules on words, lines and paragraphs are tried on the texts of the families that have them by other names.
NEMO_ALIKE = {
    "max_repeated_lines": "max_lines", "max_repeated_paragraphs": "max_paragraphs",
    "max_repeated_line_chars": "max_line_chars", "max_repeated_paragraph_chars": "max_paragraph_chars",
    "min_ended_lines": "min_ended_lines", "min_words": "min_words", "max_words": "max_words",
    "min_mean_word_letters": "min_mean_word_letters", "max_mean_word_letters": "max_mean_word_letters",
    "max_ellipsis_lines": "max_ellipsis_lines", "max_bullet_lines": "max_bullet_lines",
    "min_stop_words": "min_stop_words", "min_lettered_words": "min_lettered_words",
}  # fmt: skip
CASES += [
    (nemo_rules, {mine: bound[theirs]}, reason, inside, outside)
    for mine, theirs in NEMO_ALIKE.items()
    for family, bound, reason, inside, outside in CASES
    if theirs in bound and family in (gopher_quality, gopher_repetition, fineweb_quality)
]
PARAGRAPHS = [f"{numbered(3, n)}." for n in range(0, 15, 3)]
POLICY = ["Our privacy policy.", "The terms of use."]
CASES += [
    (fineweb_quality, {"short_line_letters": 9, "max_short_lines": 0}, "short_line_share", "abcdefghij.", "abcdefghi."),
    (ccnet_length, {"min_chars": 100}, "letter_count", "a" * 80, "a" * 79),
    (ccnet_length, {"min_chars": 100, "variant": "ccnet"}, "char_count", "a" * 100, "a" * 99),
    (mc4_paragraphs, {"min_paragraphs": 2}, "long_line_count", "\n".join(["a" * 200] * 2), f"{'a' * 200}\n{'a' * 199}"),
    (nemo_rules, {"max_symbols": 0.25}, "symbol_char_share", "a" * 9 + ",,,", "a" * 8 + ",,,"),
    (nemo_rules, {"max_symbol_ratio": 0.1}, "symbol_word_ratio", "#" + numbered(10), "#" + numbered(9)),
    (nemo_rules, {"max_digits": 0.15}, "digit_char_share", "a" * 17 + "123", "a" * 16 + "123"),
    (nemo_rules, {"max_urls": 0.5}, "url_char_share", "https://a.bc " + "a" * 11, "https://a.bc " + "a" * 10),
    (nemo_rules, {"max_spaces": 0.25}, "space_char_share", "aa a", "a a"),
    (nemo_rules, {"max_brackets": 0.2}, "bracket_char_share", "(aaaaaaaa)", "(aaaaaaa)"),
    (nemo_rules, {"max_boilerplate": 0.4}, "boilerplate_paragraph_share",
     "\n\n".join([PARAGRAPHS[0], *POLICY, *PARAGRAPHS[1:3]]), "\n\n".join([PARAGRAPHS[0], *POLICY, PARAGRAPHS[1]])),
    (nemo_rules, {"max_word_letters": 10}, "longest_word_letters", "a" * 10, "a" * 11),
    (redpajama_signals, {"min_words": 3}, "rps_doc_word_count", "a b c", "a b"),
    (redpajama_signals, {"min_sentences": 2}, "rps_doc_num_sentences", "One. Two.", "One two."),
    (redpajama_signals, {"max_symbol_ratio": 0.5}, "rps_doc_symbol_to_word_ratio", "one #", "#"),
    (redpajama_signals, {"max_ellipsis_lines": 0.5}, "rps_doc_frac_lines_end_with_ellipsis", "a...\nb", "a...\nb…"),
    (redpajama_signals, {"max_no_alpha_words": 0.5}, "rps_doc_frac_no_alph_words", "one 2", "1 2"),
    (redpajama_signals, {"min_unique_words": 0.5}, "rps_doc_frac_unique_words", "a a b b", "a a a b b"),
    (redpajama_signals, {"min_entropy": 0.69}, "rps_doc_unigram_entropy", "a b", "a a b"),
    (redpajama_signals, {"max_caps_words": 0.5}, "rps_doc_frac_all_caps_words", "A b", "A B"),
    (redpajama_signals, {"min_terminal_lines": 0.5}, "rps_lines_ending_with_terminal_punctution_mark", "a.\nb", "a\nb"),
    (redpajama_signals, {"min_stop_words": 0.5, "stop_words": ("the",)}, "rps_doc_stop_word_fraction", "the cat",
     "the big cat"),
    *[
        (redpajama_signals, {f"max_top_{n}_gram": 0.5}, f"rps_doc_frac_chars_top_{n}gram",
         f"{numbered(n)} {numbered(n)} {numbered(2 * n, 500)}",
         f"{numbered(n)} {numbered(n)} {numbered(2 * n - 1, 500)}")
        for n in (2, 3, 4)
    ],
    *[
        (redpajama_signals, {f"max_{n}_grams": 0.5}, f"rps_doc_frac_chars_dupe_{n}grams",
         f"{numbered(n)} {numbered(n)} {numbered(2 * n, 500)}",
         f"{numbered(n)} {numbered(n)} {numbered(2 * n - 1, 500)}")
        for n in range(5, 11)
    ],
]  # fmt: skip

# Bounds of rewrites: (family, its parameters, a line that stays, the same that goes).
LINES = [
    (refinedweb_lines, {"max_capitals": 0.5}, "ABCD efgh", "ABCDE fgh"),
    (refinedweb_lines, {"max_digits": 0.5}, "1234 abcd", "12345 abc"),
    (refinedweb_lines, {"min_line_words": 3}, "one two three", "one two"),
    (refinedweb_lines, {"short_line_words": 3}, "sign-in here now", "sign-in here"),
    (boilerplate_lines, {"max_words": 3}, "privacy policy of ours", "our privacy policy"),
]

OPEN = {
    gopher_quality: {
        "min_words": 1, "min_mean_word_letters": 0, "max_mean_word_letters": 99, "max_hash_ratio": 9,
        "max_ellipsis_ratio": 9, "max_bullet_lines": 1, "max_ellipsis_lines": 1, "min_lettered_words": 0,
        "min_stop_words": 0,
    },
    gopher_repetition: {
        **dict.fromkeys(("max_paragraphs", "max_paragraph_chars", "max_lines", "max_line_chars"), 9),
        **{f"max_top_{n}_gram": 9 for n in (2, 3, 4)}, **{f"max_{n}_grams": 9 for n in range(5, 11)},
    },
    fineweb_quality: {
        "min_ended_lines": 0, "max_short_lines": 1, "max_repeated_line_chars": 1, "max_breaks_per_word": 9,
    },
    c4_quality: {"min_sentences": 1},
    refinedweb_lines: {},
    ccnet_length: {},
    mc4_paragraphs: {},
    redpajama_signals: {},
    nemo_rules: {
        **dict.fromkeys(("max_symbols", "max_symbol_ratio", "max_digits", "max_urls", "max_spaces", "max_brackets",
                         "max_boilerplate", "max_repeated_lines", "max_repeated_paragraphs", "max_repeated_line_chars",
                         "max_repeated_paragraph_chars", "max_ellipsis_lines", "max_bullet_lines"), 9),
        **dict.fromkeys(("min_words", "min_ended_lines", "min_mean_word_letters", "min_stop_words",
                         "min_lettered_words"), 0),
        "max_mean_word_letters": 9999, "runs": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}-{next(iter(case[1]), case[2])}")
def test_just_inside_and_just_outside(case) -> None:
    family, bound, reason, inside, outside = case
    chain = family(**OPEN[family] | bound)
    assert verdict(chain, inside) == ""
    assert verdict(chain, outside) == reason


@pytest.mark.parametrize("case", LINES, ids=lambda case: f"{case[0].__name__}-{next(iter(case[1]))}")
def test_lines_just_inside_and_just_outside(case: Any) -> None:
    family, bound, stays, goes = case
    more = {"max_removed_words": 1} if family is refinedweb_lines else {}
    texts = [f"Here it is.\n{line}\nThere it was." for line in (stays, goes)]
    chain = family(**bound | more)
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": ["eng_Latn"] * 2})
    assert chain(batch).kept["text"].to_pylist() == [texts[0], "Here it is.\nThere it was."]


def test_lists_just_inside_and_just_outside(tmp_path: Path) -> None:
    (tmp_path / "eng_Latn.txt").write_text("bad\nworse\n", "utf-8")
    chain = bad_words(folder=str(tmp_path), max_words=1)
    assert [verdict(chain, text) for text in ("a bad one", "bad and worse")] == ["", "bad_word_count"]
    (tmp_path / "list").write_text("casino\nporn\n", "utf-8")
    for kind, reason in (("substrings", "url_blocked_substring_count"), ("words", "url_blocked_word_count"),
                         ("soft_words", "url_soft_word_count")):  # fmt: skip
        chain = url_rules(**{kind: tmp_path / "list", f"max_{kind}": 1})
        urls = ["http://a.example/casino", "http://casino.example/porn"]
        assert chain(pa.record_batch({"url": urls})).dropped["reason"].to_pylist() == [reason]
        assert chain(pa.record_batch({"url": urls})).kept["url"].to_pylist() == urls[:1]


def bounds_of(family: Callable[..., Chain]) -> set[str]:
    return {p.name for p in inspect.signature(family).parameters.values() if "Bound" in str(p.annotation)}


def test_every_bound_of_every_family_has_a_case() -> None:
    """Those of `test_lists_…` need files; nothing else is left out."""
    tried = {(family.__name__, name) for family, bound, *_ in [*CASES, *LINES] for name in bound}
    tried |= {("bad_words", "max_words")}
    tried |= {("url_rules", f"max_{kind}") for kind in ("substrings", "words", "soft_words")}
    ours = {name: made for name, made in chains().items() if made.__module__.startswith("tamis.")}
    assert {(name, bound) for name, made in ours.items() for bound in bounds_of(made)} <= tried


@pytest.mark.parametrize("family", OPEN)
def test_every_bound_is_listed_with_its_origin(family) -> None:
    usual, given = family().rules(), family(**OPEN[family]).rules()
    assert all("20" in rule.origin for rule in usual)
    assert len(usual) == len(given) or not OPEN[family].get("runs", True)
    if OPEN[family]:
        assert "given" in {rule.origin for rule in given}


def test_a_language_without_stop_words_passes_that_rule() -> None:
    text = numbered(60)
    assert verdict(gopher_quality(), text, "eng_Latn") == "stop_word_count"
    assert verdict(gopher_quality(), text, "und_Latn") == ""
    assert verdict(gopher_quality(stop_words=["waaaa", "waaab"]), text, "und_Latn") == ""
