"""The shingle walker against a plain-Python twin, and what its normalisation must and must not equate."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.dedup.options import DedupOptions
from tamis.dedup.shingle import _table, composed, shingle_hashes

MASK = (1 << 64) - 1
UNIT_BASE, ROLL_BASE = 0x9E3779B97F4A7C15, 0x5851F42D4C957F2D


def mix(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def units(text: str, by_char: bool) -> list[str]:
    """Split normalised text into units, as the module describes them."""
    index, blocks = _table()
    found: list[str] = []
    open_kind, gap = 0, False
    for char in unicodedata.normalize("NFC", text):
        word = int(blocks[index[ord(char) >> 8] + (ord(char) & 255)])
        kind, folded = word >> 21 & 7, chr(ord(char) ^ (word & 0x1FFFFF))
        if kind == 4:
            continue
        if kind == 0:
            open_kind, gap = 0, bool(found)
        elif by_char:
            found += [" ", folded] if gap else [folded]
            gap = False
        elif open_kind and (kind == 3 or (kind == 1 and open_kind == 1)):
            found[-1] += folded
        else:
            found.append(folded)
            open_kind = 2 if kind == 2 else 1
    return found


def step(state: int, value: int) -> int:
    state = (state ^ value) * UNIT_BASE & MASK
    return state ^ state >> 29


def hash_unit(unit: str) -> int:
    if unit == " ":
        return mix(UNIT_BASE)
    state, letters = UNIT_BASE, b""
    for char in unit:
        if char < "\x80":
            letters += char.encode()
        if letters and (char >= "\x80" or len(letters) == 8):
            state, letters = step(state, int.from_bytes(letters, "big")), b""
        if char >= "\x80":
            state = step(state, ord(char) | 1 << 40)
    return mix(step(state, int.from_bytes(letters, "big")))


def twin(text: str, length: int, by_char: bool) -> list[int]:
    hashes = [hash_unit(unit) for unit in units(text, by_char)]
    out = []
    for i in range(len(hashes) - length + 1):
        rolled = 0
        for value in hashes[i : i + length]:
            rolled = (rolled * ROLL_BASE + value) & MASK
        out.append(mix(rolled))
    return out


SCRIPTS = st.sampled_from(list("ab Zé.1٣नमि्ไท้ย漢字かな가힣אֲבִירשׁ  ་ བོד\u0301\u0323\u200d\u00ad\n😀𐐀𠀀İßＡ１"))
TEXTS = st.one_of(st.text(max_size=40), st.lists(SCRIPTS, max_size=40).map("".join))


@settings(deadline=None, max_examples=150)
@given(st.lists(TEXTS, max_size=4), st.integers(1, 5), st.booleans())
def test_hashes_are_those_of_the_plain_definition(texts: list[str], length: int, by_char: bool) -> None:
    options = DedupOptions(shingle_chars=length) if by_char else DedupOptions(shingle_words=length)
    offsets, hashes = shingle_hashes(composed(pa.array(texts, pa.large_string())), options)
    got = [hashes[a:b].tolist() for a, b in pairwise(offsets)]
    assert got == [twin(text, length, by_char) for text in texts]


@settings(deadline=None, max_examples=100)
@given(st.lists(TEXTS, max_size=4))
def test_composition_is_nfc(texts: list[str]) -> None:
    got = composed(pa.array(texts, pa.large_string())).to_pylist()
    assert got == [unicodedata.normalize("NFC", text) for text in texts]


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=30))
def test_bytes_that_are_no_utf8_are_walked_without_harm(raw: bytes) -> None:
    offsets = pa.py_buffer(np.array([0, len(raw)], np.int64))
    texts = pa.LargeStringArray.from_buffers(1, offsets, pa.py_buffer(raw))
    shingle_hashes(texts, DedupOptions(shingle_words=1))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Straße NACH Köln", "STRAẞE nach KÖLN"),
        ("page 12 of 2024", "page 98 of 1999"),
        ("“Well,” she said — slowly.", "well she said slowly"),
        ("a\u00a0b\r\n\tc  d", "a b c d"),
        ("café au lait", "cafe\u0301 au lait"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("می\u200cخواهم بروم", "میخواهم بروم"),
        ("١٢٣ صفحة", "٤٥٦ صفحة"),
    ],
)
def test_copies_that_differ_in_form_only_have_the_same_shingles(one: str, two: str) -> None:
    assert bags(one) == bags(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [("कि का की", "क क क"), ("ไม่ ไม้ ไหม", "ไม ไม ไหม"), ("عَلِمَ", "عُلِمَ"), ("mûr", "mur"), ("בָּנָה", "בנה")],
)
def test_marks_are_not_stripped(one: str, two: str) -> None:
    assert bags(one) != bags(two)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("完全不同的文字", 7),
        ("iPhone 15发布了", 5),
        ("นี้", 1),
        ("ข้อมูล", 4),
        ("བོད་སྐད་", 2),
        ("한국어 문장", 2),
        ("don't", 2),
        ("हिन्दी भाषा", 2),
        ("", 0),
        ("!? …", 0),
    ],
)
def test_units_by_script(text: str, count: int) -> None:
    assert len(bags(text)) == count


def bags(text: str) -> list[int]:
    _, hashes = shingle_hashes(composed(pa.array([text], pa.large_string())), DedupOptions(shingle_words=1))
    return hashes.tolist()


def test_slices_and_nulls() -> None:
    texts = pa.array(["one two", None, "three", "four five six"], pa.large_string())
    offsets, hashes = shingle_hashes(texts.slice(1), DedupOptions(shingle_words=1))
    assert np.diff(offsets).tolist() == [0, 1, 3]
    assert hashes.tolist() == bags("three four five six")
