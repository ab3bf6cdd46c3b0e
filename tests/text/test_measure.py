"""The walk against plain twins: counts, lines, paragraphs, runs of words; and what line rules may tell beforehand."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.columns import as_text
from tamis.text.grams import AT_ONCE
from tamis.text.lines import ENDED, FIELDS, FLAGS, LINE_COUNTS, WORDS, join_lines
from tamis.text.measure import COLUMNS, measure
from tamis.text.stopwords import StopTables, default_tables, stop_tables, stop_words
from tamis.text.words import words

NONE = stop_tables({})
SHORT = 30.0
PIECES = ["the", "to", "of", "Été", "中文", "กขคง", "12", "#", "...", "…", ".", "。", "!", "- ", "• ", '"', " ", " ",
          "\n", "\n", "\r\n", "\n\n", "\u00a0", "\x00", "a b c"]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def lines_of(text: str) -> list[str]:
    breaks = str.maketrans(dict.fromkeys("\x0b\x0c\r\x85\u2028\u2029", "\n"))
    parts = text.replace("\r\n", "\n").translate(breaks).split("\n")
    return [part.strip(" \t\u00a0\x00\u200b") for part in parts if part.strip(" \t\u00a0\x00\u200b")]


def repeated(parts: list) -> int:
    return sum(count - 1 for count in Counter(parts).values())


def folded(line: str) -> str:
    return "".join(line.replace("\u00a0", " ").replace("\x00", " ").split(" ")).casefold()


@settings(deadline=None, max_examples=200)
@given(texts)
def test_counts_are_those_of_plain_twins(text: str) -> None:
    found = measure([text], NONE)
    counts = dict(zip(COLUMNS, found.counts[0].tolist(), strict=True))
    lines = lines_of(text)
    by_line = dict(zip(LINE_COUNTS, found.lines.counts(np.array([SHORT]))[0].tolist(), strict=True))
    assert counts["words"] == by_line["words"] == len(words(text))
    assert counts["hashes"] == text.count("#")
    assert counts["worth"] == by_line["worth"]
    assert by_line["lines"] == len(lines)
    assert by_line["repeated_lines"] <= repeated([folded(line) for line in lines])
    assert by_line["bullet_lines"] == sum(line.lstrip("\u00ad")[0] in "-•" for line in lines)
    assert counts["stop_words"] == 0
    assert by_line["ended_lines"] >= sum(line[-1] in ".…。!" for line in lines)
    starts, ends = found.lines.records[:, 0].tolist(), found.lines.records[:, 1].tolist()
    data = text.encode()
    assert [data[start:end].decode() for start, end in zip(starts, ends, strict=True)] == lines


def run_twin(found: list[str], length: int) -> int:
    """Return the letters of repeated runs after their first occurrence, never counted twice."""
    seen, letters, at = set(), 0, 0
    while at <= len(found) - length:
        run = tuple(found[at : at + length])
        letters += sum(map(len, run)) if run in seen else 0
        at += length if run in seen else 1
        seen.add(run)
    return letters


def top_twin(found: list[str], length: int) -> int:
    runs = Counter(tuple(found[at : at + length]) for at in range(len(found) - length + 1))
    most = max(runs.values(), default=0)
    return max((sum(map(len, run)) * n for run, n in runs.items() if n == most), default=0) if most > 1 else 0


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(["a", "bb", "ccc", "d"]), max_size=60))
def test_runs_are_those_of_plain_twins(found: list[str]) -> None:
    counts = measure([" ".join(found)], NONE)
    for length in (2, 3, 4):
        assert counts[f"top_{length}_gram_worth"][0] == 16 * top_twin(found, length)
    for length in range(5, 11):
        assert counts[f"repeated_{length}_gram_worth"][0] == 16 * run_twin(found, length)


@pytest.mark.parametrize("vocabulary", [30, 3000, 10**6])
def test_runs_of_many_words_are_those_of_plain_twins(vocabulary: int) -> None:
    """More words than are counted in one table; a quarter of them stands again."""
    pick = random.Random(vocabulary)
    found = ["".join(chr(97 + pick.randrange(vocabulary) // 26**n % 26) for n in range(5)) for _ in range(AT_ONCE)]
    found += found[AT_ONCE // 2 : AT_ONCE // 2 + AT_ONCE // 4]
    counts = measure([" ".join(found)], NONE)
    for length in (2, 3, 4):
        assert counts[f"top_{length}_gram_worth"][0] == 16 * top_twin(found, length)
    for length in range(5, 11):
        assert counts[f"repeated_{length}_gram_worth"][0] == 16 * run_twin(found, length)


@settings(deadline=None, max_examples=100)
@given(st.lists(texts, max_size=4), st.randoms(use_true_random=False))
def test_lines_that_stay_are_measured_as_if_walked_again(values: list[str], pick) -> None:
    array = as_text(values)
    lines = measure(array, NONE).lines
    keep = np.array([pick.random() < 0.6 for _ in range(len(lines.records))], bool)
    joined, records = join_lines(array, lines, keep)
    again = measure(joined, NONE).lines
    assert again.offsets.tolist() == records.offsets.tolist()
    assert again.records.tolist() == records.records.tolist()
    kept = iter(keep)
    assert joined.to_pylist() == ["\n".join(line for line in lines_of(value) if next(kept)) for value in values]


def test_runs_cost_nothing_when_not_asked_for() -> None:
    text = "a b a b a b " * 9
    full, light = measure([text], NONE), measure([text], NONE, runs=False)
    assert full["top_2_gram_worth"][0] > 0 == light["top_2_gram_worth"][0]
    assert full["words"].tolist() == light["words"].tolist()


def test_stop_words_are_distinct_and_by_language() -> None:
    import pyarrow as pa

    rows = ["The the OF and", "le la les de", "le la les de", "the of"]
    languages = pa.array(["eng_Latn", "fra_Latn", "eng_Latn", None])
    counted = measure(rows, default_tables(), languages=languages)["stop_words"].tolist()
    assert counted[0] == 3 and counted[1] >= 3 and counted[2:] == [0, 0]
    own = stop_tables({"x": ("le", "de")})
    everywhere = StopTables(own.languages, own.keys, every=True)
    assert measure(rows, everywhere)["stop_words"].tolist() == [0, 2, 2, 0]


def test_a_hundred_languages_have_stop_words() -> None:
    assert len(stop_words()) >= 100
    assert all(len(chosen) >= 8 for chosen in stop_words().values())


SENTENCES = {
    "eng": "He said: “It is so.”", "chi": "这是一个句子。", "jpn": "これは文です。", "hin": "यह एक वाक्य है।",
    "san": "सत्यमेव जयते॥", "urd": "یہ ایک جملہ ہے۔", "ara": "هل هذه جملة؟", "amh": "ይህ ዓረፍተ ነገር ነው።",
    "hye": "Սա նախադասություն է։", "mya": "ဒါက ဝါကျတစ်ကြောင်း ဖြစ်တယ်။", "khm": "នេះជាប្រយោគមួយ។", "bod": "འདི་ཚིག་གྲུབ་ཅིག་རེད།",
    "colon": "Սա նախադասություն է:", "ell": "Είναι πρόταση;" + " Ναι.", "kor": "이것은 문장입니다.", "syr": "ܐܢܐ܂",
    "tam": "இது ஒரு வாக்கியம்.",
    "tha": "ภาษาไทยเป็นภาษาที่ไม่มีเครื่องหมายจบประโยคจึงต้องดูจากความยาว", "lao": "ພາສາລາວເປັນພາສາທີ່ບໍ່ມີເຄື່ອງໝາຍຈົບປະໂຫຍກຄືກັນກັບພາສາໄທ",
}  # fmt: skip


def test_sentences_end_in_every_script() -> None:
    records = measure(list(SENTENCES.values()), NONE).lines.records
    assert records.shape == (len(SENTENCES), FIELDS)
    assert (records[:, FLAGS] & ENDED).all()
    labels = measure(["Home", "首页", "हिन्दी", "หน้าแรก", "ምን", "Menu (3)", "a:"], NONE).lines.records
    assert not (labels[:, FLAGS] & ENDED).any()
    assert (labels[:, WORDS] > 0).all()
