"""Gopher's quality rules differ between their users; each variant by hand on a text where they do."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tamis.filters import gopher_quality
from tamis.filters.variants import Variant


def test_mean_and_median() -> None:
    text = "a a a a bbbbbbbbbbbbbbbb"
    assert Variant("dolma").measure(text)["mean_word_letters"] == 1
    assert Variant("paper").measure(text)["mean_word_letters"] == 4
    assert Variant("dclm").measure(text)["mean_word_letters"] == 4


def test_symbols_are_combined_by_dolma_alone() -> None:
    text = "one #two# three… four..."
    assert Variant("dolma").measure(text)["hash_word_ratio"] == 2 / 4
    assert Variant("dolma").measure(text)["ellipsis_word_ratio"] == 0
    paper = Variant("paper").measure(text)
    assert (paper["hash_word_ratio"], paper["ellipsis_word_ratio"]) == (2 / 4, 2 / 4)


def test_lines() -> None:
    text = "* one\n  - two\n• three...\nfour…"
    dolma, paper = Variant("dolma").measure(text), Variant("paper").measure(text)
    assert (dolma["bullet_line_share"], dolma["ellipsis_line_share"]) == (1 / 4, 1 / 4)
    assert (paper["bullet_line_share"], paper["ellipsis_line_share"]) == (2 / 4, 2 / 4)


def test_stop_words_are_types_in_the_paper_and_occurrences_elsewhere() -> None:
    assert [Variant(name).measure("the The the")["stop_word_count"] for name in ("paper", "dolma", "dclm")] == [1, 2, 3]


@pytest.mark.parametrize("variant", ["dolma", "dclm", "paper"])
def test_chains(variant: str) -> None:
    good = "The people of the town have to be patient with the letter and that is hard for them. " * 4
    texts = pa.array([good, "", None, "the of # " * 60, "x " * 60], pa.large_string())
    sifted = gopher_quality(variant=variant)(pa.record_batch({"text": texts}))
    assert sifted.kept.num_rows == 1
    assert sifted.dropped["reason"].to_pylist()[:2] == ["word_count", "word_count"]
