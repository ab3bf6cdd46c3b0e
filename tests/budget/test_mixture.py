from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.budget.mixture import parse_shares, plan, read
from tamis.errors import ConfigError

UNIQUE = {"eng_Latn": 1e12, "fra_Latn": 1e11, "swh_Latn": 1e9, "yor_Latn": 1e7}
AMOUNTS = st.dictionaries(st.sampled_from([f"l{i}" for i in range(12)]), st.floats(1, 1e12), min_size=1)


def weights(**options: object) -> dict[str, float]:
    return {share.language: share.weight for share in plan(UNIQUE, 1e11, **options).shares}  # type: ignore[arg-type]


def test_proportional_is_proportional() -> None:
    total = sum(UNIQUE.values())
    assert weights(method="proportional") == pytest.approx({code: each / total for code, each in UNIQUE.items()})


def test_temperature_lies_between_proportional_and_uniform() -> None:
    assert weights(method="temperature", alpha=1.0) == pytest.approx(weights(method="proportional"))
    assert weights(method="temperature", alpha=0.0) == pytest.approx(dict.fromkeys(UNIQUE, 0.25))
    found = weights(method="temperature", alpha=0.3)
    assert found["eng_Latn"] / found["fra_Latn"] == pytest.approx(10**0.3)


def test_unimax_is_even_up_to_the_cap() -> None:
    found = {share.language: share for share in plan(UNIQUE, 1e11, method="unimax", max_epochs=4).shares}
    assert found["yor_Latn"].tokens == pytest.approx(4e7)
    assert found["swh_Latn"].tokens == pytest.approx(4e9)
    assert found["fra_Latn"].tokens == pytest.approx(found["eng_Latn"].tokens) == pytest.approx((1e11 - 4.04e9) / 2)
    assert found["yor_Latn"].effective == pytest.approx(3.7257e7, rel=1e-3)


def test_unimax_falls_short_where_text_does() -> None:
    assert plan({"a": 10.0, "b": 5.0}, 1000).tokens == 60


@settings(deadline=None, max_examples=60)
@given(AMOUNTS, st.floats(1, 1e13), st.sampled_from([1.0, 4.0, 16.0]))
def test_unimax_never_passes_the_cap_nor_the_plan(unique: dict[str, float], tokens: float, cap: float) -> None:
    found = plan(unique, tokens, max_epochs=cap)
    assert sum(share.weight for share in found.shares) == pytest.approx(1)
    assert found.tokens <= tokens * (1 + 1e-9)
    for share in found.shares:
        assert share.epochs <= cap * (1 + 1e-6)
        assert share.effective <= share.tokens * (1 + 1e-9)
    short = [share for share in found.shares if share.epochs < cap * (1 - 1e-6)]
    if short:  # whoever is not at the cap has the most there is, and the same as others
        assert max(each.tokens for each in found.shares) <= min(each.tokens for each in short) * (1 + 1e-6)


@settings(deadline=None, max_examples=60)
@given(AMOUNTS, st.data())
def test_floors_and_ceilings_hold(unique: dict[str, float], data: st.DataObject) -> None:
    codes = sorted(unique)
    floors = {code: data.draw(st.floats(0, 1 / len(codes))) for code in codes[::2]}
    ceilings = {code: data.draw(st.floats(min(1.0, 1.01 / len(codes)), 1)) for code in codes[1::2]}
    found = plan(unique, 1e9, method="proportional", floors=floors, ceilings=ceilings)
    assert sum(share.weight for share in found.shares) == pytest.approx(1)
    for share in found.shares:
        assert share.weight >= floors.get(share.language, 0) - 1e-9
        assert share.weight <= ceilings.get(share.language, 1) + 1e-9


def test_fertility_makes_shares_even_in_content() -> None:
    found = weights(method="temperature", alpha=0.0, fertility={**dict.fromkeys(UNIQUE, 1.5), "yor_Latn": 4.5})
    assert found["yor_Latn"] / found["eng_Latn"] == pytest.approx(3)


def test_repetition_past_four_epochs_is_warned_of() -> None:
    found = plan(UNIQUE, 1e11, method="temperature", alpha=0.0)
    assert [text.split()[0] for text in found.warnings] == ["swh_Latn", "yor_Latn"]
    assert not plan(UNIQUE, 1e11, max_epochs=4).warnings


def test_a_mixture_file_is_read_back() -> None:
    found = plan(UNIQUE, 1e11)
    assert read(found.to_json()) == found
    with pytest.raises(ConfigError, match="not a mixture file"):
        read('{"format": "x"}')


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "magic"}, "magic"),
        ({"alpha": 2.0, "method": "temperature"}, "alpha"),
        ({"floors": {"deu_Latn": 0.1}}, "deu_Latn"),
        ({"floors": {"fra_Latn": 0.7, "eng_Latn": 0.7}}, "sum to 1"),
        ({"floors": {"fra_Latn": 0.7}, "ceilings": {"fra_Latn": 0.2}}, "above its ceiling"),
    ],
)
def test_impossible_plans_are_errors(options: dict[str, object], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        plan(UNIQUE, 1e11, **options)  # type: ignore[arg-type]


def test_shares_are_parsed() -> None:
    assert parse_shares(["fra_Latn=0.1", "deu_Latn=25%"]) == {"fra_Latn": 0.1, "deu_Latn": 0.25}
    with pytest.raises(ConfigError, match="fra_Latn"):
        parse_shares(["fra_Latn=3"])
