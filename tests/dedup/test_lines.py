"""Repeated lines across documents: against a plain count, in many scripts, no grapheme cut and no sentence broken."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.dedup.lines import cut_lines, remove_repeated_lines, repeated_lines, split_lines
from tamis.dedup.options import LineOptions

BANNERS = {
    "eng": "We use cookies to improve your experience.",
    "rus": "Мы используем файлы cookie на этом сайте.",
    "fas": "ما از کوکی‌ها برای بهبود سایت استفاده می‌کنیم.",
    "hin": "हम आपके अनुभव को बेहतर बनाने के लिए कुकीज़ का उपयोग करते हैं।",
    "tha": "เว็บไซต์นี้ใช้คุกกี้เพื่อประสบการณ์ที่ดีขึ้น",
    "kor": "이 웹사이트는 쿠키를 사용합니다.",
    "zho": "本网站使用饼干以改善您的体验。",
    "ben": "এই ওয়েবসাইট কুকিজ ব্যবহার করে।",
    "vie": "Trang web này sử dụng cookie để phục vụ bạn.",
    "emo": "👩‍👩‍👧 Join our family today 🇫🇷 e\u0301t\u0301e\u0301 !",
}


@pytest.mark.parametrize("language", BANNERS)
def test_a_shared_line_goes_and_nothing_else(language: str, tmp_path: Path) -> None:
    bodies = [f"Text {n} of its own, number {n * 7}.\r\n\r\nSecond {n} paragraph {n}!\n" for n in range(10)]
    texts = [body + BANNERS[language] + "\n" + f"End {n} of the page {n}." for n, body in enumerate(bodies)]
    found = remove_repeated_lines(texts, scratch=tmp_path).to_pylist()
    assert found == [body + f"End {n} of the page {n}." for n, body in enumerate(bodies)]
    few = texts[:5]
    assert remove_repeated_lines(few, scratch=tmp_path).to_pylist() == few


@settings(deadline=None, max_examples=80)
@given(st.text(st.sampled_from("a .\r\n\u2028e\u0301न\u094d\u200d👩🇫🇷한"), max_size=40), st.booleans())
def test_parts_are_the_text_and_cut_no_grapheme(text: str, paragraphs: bool) -> None:
    parts = split_lines(text, LineOptions("paragraph" if paragraphs else "line"))
    assert "".join(parts) == text
    regex = pytest.importorskip("regex")
    borders = {match.end() for match in regex.finditer(r"\X", text)} | {0}
    at = 0
    for part in parts:
        at += len(part)
        assert at in borders


def test_counts_are_those_of_the_plain_definition(tmp_path: Path) -> None:
    rng = random.Random(3)
    lines = [f"Line {n} has {n} words." for n in range(40)]
    texts = ["\n".join(rng.choices(lines, k=rng.randrange(12))) for _ in range(60)]
    counts = Counter(line for text in texts for line in set(text.split("\n")))
    for bound in (2, 6, 15):
        options = LineOptions(at_least=bound)
        kept = remove_repeated_lines(texts, options, scratch=tmp_path).to_pylist()
        for text, left in zip(texts, kept, strict=True):
            wanted = [line for line in text.split("\n") if counts[line] < bound]
            assert left.split() == " ".join(wanted).split()


def test_the_answer_knows_no_order_and_no_memory(tmp_path: Path) -> None:
    texts = [f"Own line {n} of this.\nShared by all of them.\n" for n in range(500)]
    batches = [(n % 3, pa.record_batch([pa.array(texts[n::10], pa.large_string())], ["text"])) for n in range(10)]
    wanted = repeated_lines(batches, LineOptions(), memory=1 << 26, scratch=tmp_path).tolist()
    assert len(wanted) == 1
    assert repeated_lines(batches[::-1], LineOptions(), memory=1, scratch=tmp_path).tolist() == wanted


def test_a_sentence_is_cut_whole_or_not_at_all(tmp_path: Path) -> None:
    shared = "this line stands in many documents\n"
    texts = [f"Sentence {n} begins here and then\n{shared}before it ends {n}.\n" for n in range(10)]
    assert remove_repeated_lines(texts, scratch=tmp_path).to_pylist() == texts
    heads = [f"Closed sentence {n}.\nThis line stands in many documents.\nAnother sentence {n}." for n in range(10)]
    assert all("stands" not in text for text in remove_repeated_lines(heads, scratch=tmp_path).to_pylist())
    whole = ["Begun just here\nand ended here, all repeated.\n" + f"Then {n} own words." for n in range(10)]
    assert remove_repeated_lines(whole, scratch=tmp_path).to_pylist() == [f"Then {n} own words." for n in range(10)]


def test_short_lines_nulls_and_forms(tmp_path: Path) -> None:
    texts = pa.array(["Home\nOwn words of one.", None, "", "Home\nOwn words of two."] * 5, pa.large_string())
    assert remove_repeated_lines(texts.slice(0, 4), LineOptions(at_least=2), scratch=tmp_path).to_pylist()[1:3] == [
        None,
        "",
    ]
    forms = ["Caf\u00e9  au lait ici.\nA b c 1.", unicodedata.normalize("NFD", "Café au lait ici.\nA b c 2.")]
    assert remove_repeated_lines(forms, LineOptions(at_least=2), scratch=tmp_path).to_pylist() == [
        "A b c 1.",
        "A b c 2.",
    ]
    empty, lost = cut_lines(
        pa.array(["only this line."]), repeated_lines([], LineOptions(), memory=1, scratch=tmp_path), LineOptions()
    )
    assert (empty.to_pylist(), lost.tolist()) == (["only this line."], [0])
