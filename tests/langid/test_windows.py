"""Windows against an obvious twin, and the invariances that follow from measuring in letters."""

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.langid import script
from tamis.langid.votes import composed
from tamis.langid.windows import ENOUGH_PROSE, SHORT_LINE, windows

SPACES = "\t\x1c\x1d\x1e\x1f \xa0\u1680\u2000\u2001\u2002\u2009\u200b\u202f\u3000\ufeff"
LINE_ENDS = r"[\n\r\v\f\x85\u2028\u2029]"
SENTENCE_ENDS = ".!?:…。！？।؟۔።။។։\u037e"


def clean(line: str) -> str:
    """Plain-Python twin of the cleaning, for lines without tags."""
    tokens = re.split("[\x00-\x20\x85\xa0\u1680\u2000-\u200b\u2028\u2029\u202f\u3000\ufeff]+", line)
    kept = [token for token in tokens if token and not re.match(r"(?i)https?:|www\.", token)]
    kept = [token for token in kept if "@" not in token and "://" not in token]
    return " ".join(re.sub(r"[0-9]", "", token) for token in kept)


def letters(text: str) -> int:
    tables = script.tables()
    kinds = tables.letters[[ord(character) for character in text]] if text else np.zeros(0, np.uint8)
    return int(sum(tables.weight[kind] for kind in kinds if kind not in (0, script.MARK)))


def seen(text: str, count: int = 4, width: int = 60) -> list[str]:
    return composed(windows(pa.array([text], pa.large_string()), count, width)).to_pylist()


ALPHABET = st.sampled_from("abcdefgh ée\u0301 \t.,!9-'ßжщя漢かカ한글กานमि\u3000ー")


@settings(deadline=None, max_examples=150)
@given(st.lists(st.text(ALPHABET, max_size=50), max_size=6))
def test_letters_agree_with_the_twin(lines: list[str]) -> None:
    cleaned = [clean(line) for line in lines]
    cleaned = [line for line in cleaned if letters(line)]
    found = windows(pa.array(["\n".join(lines)], pa.large_string()), 4, 60)
    assert found.totals.sum() == sum(letters(line) for line in cleaned)
    prose = [line for line in cleaned if letters(line) >= SHORT_LINE or _last(line) in SENTENCE_ENDS]
    chosen = prose if sum(map(letters, prose)) >= ENOUGH_PROSE else cleaned
    everything = "".join("".join(chosen).split())
    taken = ["".join(text.split()) for text in found.texts.to_pylist()]
    assert sum(found.letters.tolist()) == sum(map(letters, taken))
    at = 0
    for text in taken:
        at = everything.index(text, at) + len(text)  # in order, and no letter twice
    if sum(map(letters, chosen)) <= 90:
        assert sum(map(letters, taken)) == letters(everything)


def _last(line: str) -> str:
    marks = script.tables().letters
    return next(
        (character for character in reversed(line) if marks[ord(character)] != script.MARK and character != " "), ""
    )


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(ALPHABET, min_size=1, max_size=60), min_size=1, max_size=8))
def test_windows_do_not_depend_on_line_ends_normal_form_or_edges(lines: list[str]) -> None:
    text = unicodedata.normalize("NFC", "\n".join(lines))
    expected = [" ".join(one.split()) for one in seen(text)]
    for variant in (
        "\r\n".join(text.split("\n")),
        "\u2028".join(text.split("\n")),
        "\ufeff" + text,
        text + "\n",
        text + "   ",
        "\n".join(line + "  " for line in text.split("\n")),
        unicodedata.normalize("NFD", text),
    ):
        assert [" ".join(one.split()) for one in seen(variant)] == expected


def test_neighbours_change_nothing() -> None:
    texts = [
        "A sentence about rivers and boats. " * 20,
        "",
        "漢字だけではない文章です。" * 30,
        "x",
        None,
        "слово " * 200,
    ]
    together = windows(pa.array(texts, pa.large_string()), 3, 100)
    for row, text in enumerate(texts):
        alone = windows(pa.array([text], pa.large_string()), 3, 100)
        assert alone.texts.to_pylist() == [
            one for one, where in zip(together.texts.to_pylist(), together.document, strict=True) if where == row
        ]
        assert (alone.totals[0] == together.totals[row]).all()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("see https://example.org/a?b=c now", "see now"),
        ("see WWW.example.org now", "see now"),
        ("write to me@example.org today", "write to today"),
        ("in 2024 there were 3 <b>bold</b> words", "in there were bold words"),
        ("a < b and c > d", "a < b and c > d"),
        ("x" * 10 + "<!-- comment --> y", "x" * 10 + " y"),
    ],
)
def test_addresses_digits_and_tags_are_left_out(text: str, left: str) -> None:
    assert [" ".join(one.split()) for one in seen(text)] == [left]


@pytest.mark.parametrize("text", ["", " ", "\n", "\0", "12345", "😀😀", "http://a.example/", "." * 5000, "\ufeff"])
def test_letterless_texts_have_no_windows(text: str) -> None:
    assert seen(text) == []


def test_menus_are_left_out_where_there_is_prose() -> None:
    menu = "\n".join(["Home", "Products", "Contact", "Log in"] * 20)
    prose = "Das Boot liegt seit gestern wieder am Ufer, und die Kinder warten auf den Fährmann.\n" * 8
    assert "Products" not in " ".join(seen(menu + "\n" + prose + menu, 16))
    assert "Products" in " ".join(seen(menu, 16))


def test_a_window_is_bounded_whatever_stands_between_letters() -> None:
    assert max(len(one) for one in seen("a" + "." * 100_000 + "b", 4, 60)) < 2000


def test_signs_alone_are_left_out_where_words_are_wanted() -> None:
    text = "1. Alpha - 9.1 (2019) | 2. Beta — 8.0 » Gamma ...\nIl est parti ?\n* * *\nfin"
    found = windows(pa.array([text], pa.large_string()), 4, 60, words_only=True)
    assert [" ".join(one.split()) for one in found.texts.to_pylist()] == ["Alpha Beta Gamma Il est parti fin"]
    assert (found.totals == windows(pa.array([text], pa.large_string()), 4, 60).totals).all()
