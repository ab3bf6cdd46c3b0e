"""The smaller families: hand-computed values, published bounds, and what each rewrite takes out."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.errors import ConfigError
from tamis.filters import (
    bad_words,
    boilerplate_lines,
    ccnet_length,
    chains,
    mc4_paragraphs,
    nemo_rules,
    pii_masking,
    redpajama_signals,
)
from tamis.filters.pii import phone_patterns


def batch(*texts: str | None, language: str = "eng_Latn") -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": [language] * len(texts)})


def reasons(chain, *texts: str, language: str = "eng_Latn") -> list[str]:
    return chain(batch(*texts, language=language)).dropped["reason"].to_pylist()


def test_ccnet_counts_characters() -> None:
    assert reasons(ccnet_length(variant="ccnet"), "a" * 299, "é" * 300) == ["char_count"]
    assert reasons(ccnet_length(), "a" * 239, "a" * 240) == ["letter_count"]


def test_ccnet_length_is_as_strict_in_chinese() -> None:
    assert reasons(ccnet_length(variant="ccnet"), "这是一个句子" * 20, language="cmn_Hans") == ["char_count"]
    assert reasons(ccnet_length(), "这是一个句子" * 20, language="cmn_Hans") == []


def test_mc4_asks_for_three_long_lines() -> None:
    long, short = "word " * 40 + "x", "word " * 30
    for variant in ("tamis", "datatrove"):
        assert reasons(mc4_paragraphs(variant=variant), "\n".join([long] * 3 + [short])) == []
        assert reasons(mc4_paragraphs(variant=variant), "\n".join([long] * 2 + [short])) == ["long_line_count"]


def test_mc4_agrees_with_datatrove() -> None:
    filters = pytest.importorskip("datatrove.pipeline.filters.c4_filters")
    texts = [
        "\n".join("x" * size for size in sizes) for sizes in ([200] * 3, [199, 200, 300], [500], [200, 1, 200, 200])
    ]
    theirs = [filters.C4ParagraphFilter().paragraph_filter(text) for text in texts]
    kept = mc4_paragraphs(variant="datatrove")(batch(*texts)).kept["text"].to_pylist()
    assert kept == [text for text, keep in zip(texts, theirs, strict=True) if keep]


def test_redpajama_signals_by_hand() -> None:
    text = "The CAT sat. The cat, 42!\n• javascript is here…\n{Lorem ipsum}"
    row = redpajama_signals()(batch(text)).kept.to_pylist()[0]
    # the cat sat the cat 42 • javascript is here… lorem ipsum: 12 words of 45 characters
    assert row["rps_doc_word_count"] == 12
    assert row["rps_doc_mean_word_length"] == pytest.approx(45 / 12)
    assert row["rps_doc_frac_unique_words"] == pytest.approx(10 / 12)
    entropy = -(2 * 2 / 12 * math.log(2 / 12) + 8 / 12 * math.log(1 / 12))
    assert row["rps_doc_unigram_entropy"] == pytest.approx(entropy)
    # The CAT sat . The cat , 42 ! • javascript is here … { Lorem ipsum }: 18 raw words
    assert row["rps_doc_symbol_to_word_ratio"] == pytest.approx(1 / 18)
    assert row["rps_doc_frac_no_alph_words"] == pytest.approx(8 / 18)
    assert row["rps_doc_frac_all_caps_words"] == pytest.approx(1 / 18)
    assert row["rps_doc_num_sentences"] == 3
    assert row["rps_doc_frac_lines_end_with_ellipsis"] == pytest.approx(1 / 3)
    assert row["rps_lines_ending_with_terminal_punctution_mark"] == pytest.approx(1 / 3)
    assert row["rps_lines_javascript_counts"] == pytest.approx(1 / 3)
    assert row["rps_lines_start_with_bulletpoint"] == pytest.approx(1 / 3)
    assert row["rps_lines_num_words"] == pytest.approx(4)
    assert row["rps_doc_curly_bracket"] == pytest.approx(2 / len(text))


def test_redpajama_drops_by_given_bounds_only() -> None:
    assert reasons(redpajama_signals(), "", "x") == []
    assert reasons(redpajama_signals(min_words=2), "one", "one two") == ["rps_doc_word_count"]


# Bounds that short texts miss, opened.
SHORT = {"min_words": 0, "min_ended_lines": 0, "max_mean_word_letters": 9999, "min_mean_word_letters": 0,
         "min_stop_words": 0, "min_lettered_words": 0, "runs": False}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("word " * 30, []),
        ("हिन्दी में लिखा हुआ पाठ है और यह ठीक है। " * 5, []),
        ("a % = a % = ", ["symbol_char_share"]),
        ("one #two three four five six seven eight nine ten", []),
        ("one #two #three four five six seven eight nine ten", ["symbol_word_ratio"]),
        ("year 2020 2021", ["digit_char_share"]),
        ("see http example " * 3 + "https://example.org/a/long/address/of/a/page", ["url_char_share"]),
        ("a  b  c  d  ", ["space_char_share"]),
        ("(abcdefgh) (abcdefgh)", ["bracket_char_share"]),
        ("One.\n\nOur privacy policy.\n\nThree.", []),
        ("One.\n\nOur privacy policy.\n\nUse of cookies.\n\nFour.", ["boilerplate_paragraph_share"]),
        ("Privacy policy\n\nTwo.\n\nThree.\n\nFour.", ["boilerplate_paragraph_share"]),
        ("One.\n\nTwo.\n\nThree.\n\nLorem ipsum.", ["boilerplate_paragraph_share"]),
        ("abcd efgh\nijkl mnop\nqrst uvwx\nabcd efgh", []),
        ("abcd efgh\nijkl mnop\nabcd efgh", ["repeated_line_share"]),
        (f"word {'x' * 1000}", []),
        (f"word {'x' * 1001}", ["longest_word_letters"]),
        ("\n".join(f"{'abcd'[n] * 4} went on for all the rest of the day{'...' * (n < 1)}" for n in range(4)), []),
        (
            "\n".join(f"{'abcd'[n] * 4} went on for all the rest of the day{'...' * (n < 2)}" for n in range(4)),
            ["ellipsis_line_share"],
        ),
    ],
)
def test_nemo_rules_of_signs_lines_and_paragraphs(text: str, reason: list[str]) -> None:
    assert reasons(nemo_rules(**SHORT, max_repeated_line_chars=1, max_repeated_paragraph_chars=1), text) == reason


def test_nemo_rules_have_the_published_bounds() -> None:
    rules = {rule.reason: rule for rule in nemo_rules().rules()}
    published = {
        "symbol_char_share": 0.25, "symbol_word_ratio": 0.1, "digit_char_share": 0.15, "url_char_share": 0.2,
        "space_char_share": 0.25, "bracket_char_share": 0.1, "boilerplate_paragraph_share": 0.4,
        "repeated_line_share": 0.3, "repeated_paragraph_share": 0.3, "repeated_line_char_share": 0.2,
        "repeated_paragraph_char_share": 0.2, "longest_word_letters": 1000, "bullet_line_share": 0.9,
        "ellipsis_line_share": 0.3, "top_2_gram_char_share": 0.2, "top_3_gram_char_share": 0.18,
        "top_4_gram_char_share": 0.16, "repeated_5_gram_char_share": 0.15, "repeated_6_gram_char_share": 0.14,
        "repeated_7_gram_char_share": 0.13, "repeated_8_gram_char_share": 0.12, "repeated_9_gram_char_share": 0.11,
        "repeated_10_gram_char_share": 0.1,
    }  # fmt: skip
    assert {name: rules[name].at_most for name in published} == published
    assert (rules["ended_line_share"].at_least, rules["lettered_word_share"].at_least) == (0.15, 0.8)
    assert rules["word_count"].at_least.of("eng_Latn") == 50
    assert rules["stop_word_count"].at_least.of("eng_Latn") == 2
    assert len(rules) == 28


def test_redpajama_runs_by_hand() -> None:
    # "a bb" three times of 15 words with 27 characters; "ccc d e f g" twice, the second time overlapped by "d e f g h".
    text = "a bb a bb a bb ccc d e f g. CCC d, e f g"
    row = redpajama_signals()(batch(text)).kept.to_pylist()[0]
    total = 3 * 3 + 2 * 7
    assert row["rps_doc_frac_chars_top_2gram"] == pytest.approx(3 * 3 / total)
    assert row["rps_doc_frac_chars_top_3gram"] == pytest.approx(2 * 4 / total)  # "a bb a", the first of two that do
    assert row["rps_doc_frac_chars_top_4gram"] == pytest.approx(2 * 6 / total)  # "a bb a bb"
    assert row["rps_doc_frac_chars_dupe_5grams"] == pytest.approx(2 * 7 / total)
    assert [row[f"rps_doc_frac_chars_dupe_{n}grams"] for n in range(6, 11)] == [0] * 5
    once = redpajama_signals()(batch("one two three four")).kept.to_pylist()[0]
    assert once["rps_doc_frac_chars_top_2gram"] == once["rps_doc_frac_chars_dupe_5grams"] == 0
    ten = "a b c d e f g h i j "
    row = redpajama_signals()(batch(ten + "xxxxx " + ten)).kept.to_pylist()[0]
    assert [row[f"rps_doc_frac_chars_dupe_{n}grams"] for n in range(5, 11)] == pytest.approx([20 / 25] * 6)
    assert reasons(redpajama_signals(max_10_grams=0.5), ten * 2) == ["rps_doc_frac_chars_dupe_10grams"]


def test_redpajama_stop_words_are_of_raw_words() -> None:
    text = "The man and the dog."  # the raw words: The man and the dog .
    assert reasons(redpajama_signals(min_stop_words=0.4, stop_words=["the", "and"]), text) == [
        "rps_doc_stop_word_fraction"
    ]
    assert reasons(redpajama_signals(min_stop_words=1 / 3, stop_words=["the", "and"]), text) == []


def test_bad_words_stand_alone(tmp_path: Path) -> None:
    (tmp_path / "eng_Latn.txt").write_text("# a list\nass\nbad word\n", "utf-8")
    (tmp_path / "cmn_Hans.txt").write_text("坏话\n", "utf-8")
    chain = bad_words(folder=str(tmp_path))
    assert reasons(chain, "a class of asses", "Such an ASS.", "a bad word", "bad words") == ["bad_word_count"] * 2
    assert reasons(chain, "他说坏话了", "他说好话", language="cmn_Hans") == ["bad_word_count"]
    assert reasons(chain, "un ass", language="fra_Latn") == []
    with pytest.raises(ConfigError):
        bad_words(folder=str(tmp_path / "none"))


def test_boilerplate_lines_go_in_their_language() -> None:
    text = "Die Stadt liegt am Fluss.\nDiese Seite verwendet Cookies.\nSie ist alt."
    sifted = boilerplate_lines()(batch(text, "Nichts hier.\n\nUnd hier.", language="deu_Latn"))
    assert sifted.kept["text"].to_pylist() == ["Die Stadt liegt am Fluss.\nSie ist alt.", "Nichts hier.\n\nUnd hier."]
    assert sifted.removed["reason"].to_pylist() == ["line_boilerplate"]
    assert boilerplate_lines()(batch(text)).kept["text"].to_pylist() == [text]


def test_pii_is_masked() -> None:
    text = "Write to jane.doe@example.co.uk or call +33 6 12 34 56 78, from 8.8.8.8 but not 10.0.0.1 or 1.2.3."
    masked = pii_masking()(batch(text)).kept["text"].to_pylist()[0]
    assert masked == ("Write to email@example.com or call +00 000 000000, from 192.0.2.1 but not 10.0.0.1 or 1.2.3.")
    assert pii_masking()(batch("06 12 34 56 78")).kept["text"].to_pylist() == ["06 12 34 56 78"]
    assert pii_masking(countries=["FR"])(batch("06 12 34 56 78")).kept["text"].to_pylist() == ["+00 000 000000"]
    with pytest.raises(ConfigError):
        pii_masking(countries=["XX"])


NUMBERS = {
    "BR": "(11) 91234-5678", "CN": "138 1234 5678", "DE": "030/1234567", "ES": "612 345 678", "FR": "06.12.34.56.78",
    "GB": "020 7946 0958", "ID": "0812-3456-7890", "IN": "98765 43210", "IT": "312 345 6789", "JP": "03-1234-5678",
    "KR": "010-1234-5678", "MX": "(55) 1234-5678", "NL": "06-12345678", "PL": "512-345-678", "RU": "8 (495) 123-45-67",
    "TR": "0212 345 67 89", "US": "(212) 555-0123", "VN": "0912 345 678",
}  # fmt: skip


@pytest.mark.parametrize("country", NUMBERS)
def test_telephone_numbers_are_masked_by_country(country: str) -> None:
    text = f"Call {NUMBERS[country]} before 2026-11-23; the bill is 1,234,567.89 and the article 978-3."
    found = pii_masking(countries=[country])(batch(text)).kept["text"].to_pylist()
    assert found == [text.replace(NUMBERS[country], "+00 000 000000")]
    assert pii_masking()(batch(text)).kept["text"].to_pylist() == [text]


def test_every_country_has_a_number_here() -> None:
    assert NUMBERS.keys() == phone_patterns().keys()


def test_nothing_raises_and_every_family_is_registered() -> None:
    assert {"ccnet_length", "mc4_paragraphs", "redpajama_signals", "nemo_rules", "bad_words", "pii_masking"} <= set(
        chains()
    )
    for chain in (
        ccnet_length(),
        mc4_paragraphs(),
        redpajama_signals(),
        nemo_rules(),
        pii_masking(),
        boilerplate_lines(),
    ):
        sifted = chain(batch("", None, "\x00", "a@b.c " * 50, "1" * 5000))
        assert not [reason for reason in sifted.dropped["reason"].to_pylist() if reason.startswith("error:")]
