"""Every bound of every family: a document just inside passes, the same just outside is dropped for that reason."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tamis.filters import Chain, c4_quality, fineweb_quality, gopher_quality, gopher_repetition, refinedweb_lines


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
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__name__}-{next(iter(case[1]), case[2])}")
def test_just_inside_and_just_outside(case) -> None:
    family, bound, reason, inside, outside = case
    chain = family(**OPEN[family] | bound)
    assert verdict(chain, inside) == ""
    assert verdict(chain, outside) == reason


@pytest.mark.parametrize("family", OPEN)
def test_every_bound_is_listed_with_its_origin(family) -> None:
    usual, given = family().rules(), family(**OPEN[family]).rules()
    assert all("20" in rule.origin for rule in usual)
    assert len(usual) == len(given)
    if OPEN[family]:
        assert "given" in {rule.origin for rule in given}


def test_a_language_without_stop_words_passes_that_rule() -> None:
    text = numbered(60)
    assert verdict(gopher_quality(), text, "eng_Latn") == "stop_word_count"
    assert verdict(gopher_quality(), text, "und_Latn") == ""
    assert verdict(gopher_quality(stop_words=["waaaa", "waaab"]), text, "und_Latn") == ""
