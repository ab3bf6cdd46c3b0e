"""The histogram of scripts against a plain twin."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.text import unicode as u
from tamis.text.scripts import histogram, main_scripts


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text("aЖ中かก한é12 .\u0301", max_size=20), max_size=4))
def test_letters_are_counted_by_script(texts: list[str]) -> None:
    for text, row in zip(texts, histogram(texts).tolist(), strict=True):
        letters = [c for c in text if u.properties(c) & u.CLASS_MASK == u.LETTER]
        scripts = [(u.properties(c) >> u.SCRIPT_SHIFT) & u.SCRIPT_MASK for c in letters]
        assert {place: count for place, count in enumerate(row) if count} == {s: scripts.count(s) for s in scripts}


def test_the_main_script_is_that_of_most_letters() -> None:
    assert main_scripts(["abc Жд", "中文 a", "", None, "123"]) == ["Latn", "Hani", "Zyyy", "Zyyy", "Zyyy"]
