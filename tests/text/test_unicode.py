"""The Unicode tables: letters with their marks in many scripts, and decoding that never leaves the buffer."""

from __future__ import annotations

import unicodedata

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.text import unicode as u
from tamis.text.kernel import kernel

decode = u.decode


@kernel
def decode_all(data, points):
    at, count = 0, 0
    while at < len(data):
        points[count], at = decode(data, at, len(data))
        count += 1
    return count


def decoded(data: bytes) -> str:
    points = np.zeros(len(data) + 1, np.int64)
    count = decode_all(np.frombuffer(data, np.uint8), points)
    return "".join(map(chr, points[:count].tolist()))


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=20))
def test_utf8_is_decoded(text: str) -> None:
    assert decoded(text.encode()) == text


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=30))
def test_what_is_no_utf8_reads_as_replacement_characters(data: bytes) -> None:
    found = decoded(data)
    if "\ufffd" not in found:
        assert found.encode("utf-8", "surrogatepass") == data or any(byte >= 0xE0 for byte in data)


def test_classes_agree_with_the_categories_of_unicode() -> None:
    expected = {"L": u.LETTER, "M": u.MARK, "P": u.PUNCTUATION, "S": u.SYMBOL}
    for code in range(0x30000):
        category = unicodedata.category(chr(code))
        hangul_mark = 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF
        if category[0] in expected and not hangul_mark:
            assert u.properties(chr(code)) & u.CLASS_MASK == expected[category[0]], hex(code)
        if category == "Nd":
            assert u.properties(chr(code)) & u.CLASS_MASK == u.DIGIT


def test_scripts_have_names() -> None:
    names = {c: u.scripts()[(u.properties(c) >> u.SCRIPT_SHIFT) & u.SCRIPT_MASK] for c in "aяא中かไक한"}
    assert list(names.values()) == ["Latn", "Cyrl", "Hebr", "Hani", "Hira", "Thai", "Deva", "Hang"]
    assert u.scripts()[u.ARMENIAN] == "Armn"


def test_letters_are_worth_what_their_script_says() -> None:
    worth = {c: u.properties(c) >> u.WORTH_SHIFT for c in "aé9中한ह.ि"}
    assert worth["a"] == worth["é"] == worth["9"] == 16
    assert worth["中"] > 40 and worth["한"] > 40 and 16 < worth["ह"] < 40
    assert worth["."] == worth["ि"] == 0
