"""Thresholds: what is derived, what guard rails refuse, and what a chain makes of them."""

from __future__ import annotations

import pytest

from tamis.bounds import PerLanguage
from tamis.errors import ConfigError
from tamis.filters import build, gopher_quality
from tamis.filters.thresholds import fitted, load, to_toml, train


def test_shipped_thresholds_serve_a_hundred_languages() -> None:
    tables = load("shipped")
    languages = {code for sides in tables.values() for bounds in sides.values() for code in bounds}
    assert len(languages) >= 100
    assert {"eng_Latn", "tam_Taml", "rus_Cyrl"} <= languages


def test_a_bound_that_the_text_held_out_misses_is_refused() -> None:
    # Passages alternate between the half that sets a bound and the half that must pass it.
    rows = [("eng_Latn", "made", ("word " if number % 2 else "longerwords ") * 50) for number in range(40)]
    found = {each.side: each for each in train(rows, signals=["mean_word_letters"])}
    assert found["at_least"].refused == "it would drop 100.0% of the text held out"
    assert found["at_most"].refused == ""
    assert found["at_most"].bound == pytest.approx(12.1)
    assert to_toml(found.values()) == "[mean_word_letters.at_most]\neng_Latn = 12.1\n"


def test_a_chain_takes_thresholds_for_the_languages_they_name() -> None:
    shipped = load("shipped")["mean_word_letters"]["at_most"]["tam_Taml"]
    rule = next(rule for rule in fitted(gopher_quality(), "shipped").rules() if rule.reason == "mean_word_letters")
    assert isinstance(rule.at_most, PerLanguage)
    assert rule.at_most.of("tam_Taml") == shipped
    assert rule.at_most.of("zxx_Zzzz") == 10
    assert "thresholds shipped" in rule.origin
    assert build([{"chain": "gopher_quality", "thresholds": "shipped"}])[0].rules()[1].at_most.of("tam_Taml") == shipped


def test_what_is_no_thresholds_is_refused(tmp_path) -> None:
    (tmp_path / "bad.toml").write_text("x = 1\n", "utf-8")
    for name in (tmp_path / "bad.toml", tmp_path / "none.toml"):
        with pytest.raises(ConfigError):
            fitted(gopher_quality(), name)
