"""Names: recipes build chains from tables, and every wrong name or value is told before anything is read."""

from __future__ import annotations

import importlib.metadata
import math
import pickle
from pathlib import Path

import cloudpickle
import pyarrow as pa
import pytest

from tamis.errors import ConfigError, UnknownNameError
from tamis.filters import build, chains, load_module, registry, signals


def test_every_family_is_listed() -> None:
    assert list(chains()) == sorted(chains())
    assert {
        "gopher_quality",
        "gopher_repetition",
        "c4_quality",
        "fineweb_quality",
        "refinedweb_lines",
        "url_rules",
    } <= (set(chains()))
    assert {"word_count", "lettered_word_share", "top_2_gram_char_share", "ended_line_share"} <= set(signals())


def test_tables_make_chains_one_each() -> None:
    specs = [
        {"chain": "gopher_quality", "min_words": {"default": 50, "zh": 20}, "max_words": 1000},
        {"chain": "c4_quality", "variant": "datatrove", "policy": False, "name": "c4"},
        {"keep": "word_count", "at_least": {"fr": 30}, "at_most": 99},
        {"keep": "tokens", "at_least": 10, "name": "long enough"},
    ]
    made = build(specs, {"zh": "cmn_Hans", "fr": "fra_Latn"}.__getitem__)
    assert [chain.name for chain in made] == ["gopher_quality", "c4", "word_count", "long enough"]
    first = made[0].rules()[0]
    assert (first.at_least.of("cmn_Hans"), first.at_least.of("deu_Latn"), first.at_most) == (20, 50, 1000)
    assert math.isnan(made[2].rules()[0].at_least.default)
    batch = pa.record_batch({"tokens": pa.array([9, 10, None], pa.int64())})
    assert made[3](batch).kept["tokens"].to_pylist() == [10]


@pytest.mark.parametrize(
    ("spec", "error", "hint"),
    [
        ({"chain": "gopher_qualty"}, UnknownNameError, "gopher_quality"),
        ({"chain": "gopher_quality", "min_word": 3}, UnknownNameError, "min_words"),
        ({"chain": "gopher_quality", "variant": "datatrov"}, UnknownNameError, "datatrove"),
        ({"chain": "gopher_quality", "min_words": "many"}, ConfigError, "number"),
        ({"chain": "gopher_quality", "min_words": True}, ConfigError, "number"),
        ({"chain": "gopher_quality", "min_words": {"default": "x"}}, ConfigError, "number"),
        ({"keep": "word_cont", "at_least": 3}, UnknownNameError, "word_count"),
        ({"keep": "word_count", "at_lest": 3}, UnknownNameError, "at_least"),
        ({"keep": "word_count"}, ConfigError, "bound"),
        ({"keep": "word_count", "chain": "c4_quality"}, ConfigError, "either"),
        ({"name": "nothing"}, ConfigError, "either"),
    ],
)
def test_wrong_tables_are_told(spec: dict, error: type[Exception], hint: str) -> None:
    with pytest.raises(error, match=hint):
        build([spec])


MINE = '''
from tamis import Chain, keep, per_document, signal
from tamis.filters import family

@per_document
def vowel_share(text):
    """Share of vowels."""
    return sum(letter in VOWELS for letter in text) / max(len(text), 1)

VOWELS = "aeiou"

@family(source="my own ears")
def singable(*, min_vowels: "Bound" = 0.3) -> Chain:
    return Chain(keep(vowel_share, at_least=min_vowels))
'''


def test_a_module_of_the_user_brings_signals_and_families(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    load_module(path)
    load_module(path)
    made = build([{"keep": "vowel_share", "at_least": 0.5}, {"chain": "singable"}])
    batch = pa.record_batch({"text": pa.array(["aeb", "abb", "bbb"], pa.large_string())})
    for chain, kept in zip(made, (["aeb"], ["aeb", "abb"]), strict=True):
        # The module's file is gone where workers run; its functions must travel whole.
        assert pickle.loads(cloudpickle.dumps(chain))(batch).kept["text"].to_pylist() == kept
    assert made[1].rules()[0].origin == "my own ears"
    with pytest.raises(ConfigError, match=r"no_such\.py"):
        load_module(tmp_path / "no_such.py")


def test_a_signal_of_another_module_is_not_overwritten() -> None:
    from tamis import signal

    with pytest.raises(ConfigError, match="word_count"):
        signal(lambda text: [1] * len(text), name="word_count")


def test_entry_points_add_families(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("from_elsewhere", "tamis.filters.fineweb:fineweb_quality", "tamis.filters")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == "tamis.filters" else [])
    registry._load_entry_points.cache_clear()
    try:
        assert "from_elsewhere" in chains()
        assert build([{"chain": "from_elsewhere"}])[0].name == "from_elsewhere"
    finally:
        registry._CHAINS.pop("from_elsewhere", None)
        registry._load_entry_points.cache_clear()
