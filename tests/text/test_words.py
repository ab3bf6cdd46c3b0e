"""Words against a plain twin, and in every script."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.columns import as_text, text_buffers
from tamis.text import unicode as u
from tamis.text.stopwords import hash_words
from tamis.text.words import word_spans, words

ALPHABET = "aZé9_'’.,:- \n\t\x00٣中国のカーไม่กမြန်ଓहिन्दी한ᄒ́\u200d\u00ad\u200b😀#。"


def kind(c: str) -> int:
    return u.properties(c) & u.CLASS_MASK


def unit(c: str) -> int:
    return (u.properties(c) >> u.UNIT_SHIFT) & u.UNIT_MASK


def script(c: str) -> int:
    return (u.properties(c) >> u.SCRIPT_SHIFT) & u.SCRIPT_MASK


def twin(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text):
        if kind(text[at]) not in (u.LETTER, u.MARK, u.DIGIT, u.NUMBER):
            at += 1
            continue
        end = spaced(text, at) if unit(text[at]) == 0 or kind(text[at]) == u.MARK else unspaced(text, at)
        found.append(text[at:end])
        at = end
    return found


def spaced(text: str, at: int) -> int:
    before = 0
    while at < len(text):
        c = text[at]
        joins = {u.LETTER: u.MID_LETTER, u.DIGIT: u.MID_NUMBER}.get(before, 0)
        if kind(c) in (u.LETTER, u.DIGIT, u.NUMBER):
            if unit(c):
                break
            before = kind(c)
        elif kind(c) not in (u.MARK, u.FORMAT):
            follows = text[at + 1 : at + 2]
            if not (u.properties(c) & joins and follows and kind(follows) == before and not unit(follows)):
                break
        at += 1
    return at


def unspaced(text: str, at: int) -> int:
    first, letters = text[at], 0
    while at < len(text):
        c = text[at]
        if kind(c) in (u.LETTER, u.DIGIT, u.NUMBER):
            shared = kind(c) == u.LETTER and script(c) < 2
            if not shared:
                if letters == unit(first) or script(c) != script(first):
                    break
                letters += 1
        elif kind(c) not in (u.MARK, u.FORMAT):
            break
        at += 1
    return at


@settings(deadline=None, max_examples=300)
@given(st.lists(st.text(ALPHABET, max_size=24), max_size=4))
def test_words_are_those_of_the_plain_twin(texts: list[str]) -> None:
    array = as_text(["cut off", *texts]).slice(1)
    offsets, starts, ends = word_spans(array)
    data = text_buffers(array)[1].tobytes()
    for row, text in enumerate(texts):
        spans = zip(starts[offsets[row] : offsets[row + 1]], ends[offsets[row] : offsets[row + 1]], strict=True)
        assert [data[start:end].decode() for start, end in spans] == twin(text)


def test_words_of_many_scripts() -> None:
    assert words("It's 3.14 o'clock, e.g. now — really!") == ["It's", "3.14", "o'clock", "e.g", "now", "really"]
    assert words("हिन्दी में लिखा।") == ["हिन्दी", "में", "लिखा"]
    assert words("תּוֹרָה שלום") == ["תּוֹרָה", "שלום"]
    assert words("தமிழ் மொழி, বাংলা ভাষা") == ["தமிழ்", "மொழி", "বাংলা", "ভাষা"]
    assert words("这是一个句子。Python3好") == ["这是", "一个", "句子", "Python3", "好"]
    assert words("コンピューターの日本語") == ["コンピュー", "ター", "の", "日本", "語"]
    assert words("") == words(" \n\x00#…") == []


def test_a_thai_run_has_units_of_a_few_letters_with_their_marks() -> None:
    found = words("ที่นี่มีคนมากมาย")
    assert "".join(found) == "ที่นี่มีคนมากมาย" and 2 <= len(found) <= 5
    assert all(unicodedata.category(word[0]) != "Mn" for word in found)


def test_hashes_do_not_see_case_or_composition() -> None:
    pairs = [("Été", unicodedata.normalize("NFD", "ÉTÉ")), ("한국", unicodedata.normalize("NFD", "한국")),
             ("ΣΑΣ", "σας"), ("Việt", unicodedata.normalize("NFD", "việt")), ("co\u00adop", "COOP")]  # fmt: skip
    for one, other in pairs:
        a, b = hash_words([one, other]).tolist()
        assert a == b, one
    distinct = hash_words(["a", "b", "ab", "ba", "é", "e", "中", "国", "", "0", "00"])
    assert len(set(distinct.tolist())) == 11


def test_spans_of_nulls_and_slices() -> None:
    array = pa.array(["a b", None, "", "c"], pa.large_string())
    offsets, starts, ends = word_spans(array)
    assert offsets.tolist() == [0, 2, 2, 2, 3]
    assert (ends - starts).tolist() == [1, 1, 1]


def test_javanese_and_yi_scripts_have_no_spaces_and_are_read_in_units() -> None:
    assert [len(word) for word in words("ꊿꂷꈀꐥꌠꀑꇬ")] == [2, 2, 2, 1]
    assert len(words("ꦩꦤꦏꦱꦮꦗꦤꦥ")) == 2
