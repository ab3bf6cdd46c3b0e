"""Cutoffs: exact percentiles by language, equal scores alike, and shifts of a language's scores without effect."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.bounds import PerLanguage
from tamis.errors import ConfigError, UnknownNameError
from tamis.pipeline import cutoffs
from tamis.scoring import ScoringOptions


def batch(languages: list[str], scores: list[float | None]) -> pa.RecordBatch:
    columns = [pa.array(languages), pa.array(scores, pa.float32()), pa.array([10] * len(scores))]
    return pa.record_batch(columns, ["language", "score", "tokens"])


@given(st.lists(st.integers(-5, 20), min_size=1, max_size=60), st.integers(0, 100), st.booleans(), st.integers(1, 7))
@settings(deadline=None, max_examples=200)
def test_the_cutoff_is_the_score_at_its_rank(numbers: list[int], percent: int, higher: bool, parts: int) -> None:
    scores = [number / 4 for number in numbers]
    pieces = [batch(["x"] * len(part), list(part)) for part in np.array_split(np.array(scores), parts)]
    found = cutoffs.gather(piece for piece in pieces if piece.num_rows)["x"]
    bound = cutoffs.cutoff(found, "x", ScoringOptions("m", keep_percent=percent), higher)
    best = math.ceil(len(scores) * percent / 100)
    order = sorted(scores, reverse=higher)
    if best == 0:
        assert bound == (math.inf if higher else -math.inf)
    else:
        assert bound == order[best - 1]
    kept = sum(score >= bound if higher else score <= bound for score in scores)
    assert kept >= best
    assert kept == best or order[best - 1] == order[kept - 1]


def test_a_shift_of_one_language_changes_none_of_its_verdicts() -> None:
    random = np.random.default_rng(3)
    languages = ["eng_Latn"] * 500 + ["deu_Latn"] * 300 + ["hin_Deva"] * 40
    scores = np.round(random.normal(0, 1, len(languages)), 4)
    shifted = scores + np.where(np.array(languages) == "deu_Latn", 0.5, 0)
    options = ScoringOptions("m", keep_percent=PerLanguage(60, {"hin_Deva": 90}))
    kept = []
    for given_scores in (scores, shifted):
        found = cutoffs.gather([batch(languages, given_scores.tolist())])
        bounds = {code: cutoffs.cutoff(each, code, options, True) for code, each in found.items()}
        kept.append([score >= bounds[code] - 1e-6 for code, score in zip(languages, given_scores, strict=True)])
        rows = {row["language"]: row for row in cutoffs.table(found, options, True).to_pylist()}
        assert [rows[code]["kept"] for code in ("eng_Latn", "deu_Latn", "hin_Deva")] == [300, 180, 36]
    assert kept[0] == kept[1]
    # One cutoff for all languages, which others use, would let a third of the German drops back in.
    assert (shifted[500:800] >= 0).mean() - (scores[500:800] >= 0).mean() > 0.1


def test_the_table_has_histograms_and_counts_the_unscored() -> None:
    found = cutoffs.gather([batch(["a", "a", "b", "a"], [0.0, 1.0, None, 0.5])])
    rows = cutoffs.table(found, ScoringOptions("m", keep_percent=50), True).to_pylist()
    assert [row["language"] for row in rows] == ["a", "b"]
    assert (rows[0]["documents"], rows[0]["kept"], rows[0]["cutoff"], rows[0]["p50"]) == (3, 2, 0.5, 0.5)
    assert sum(rows[0]["histogram"]) == 3 and len(rows[0]["edges"]) == len(rows[0]["histogram"]) + 1
    assert (rows[1]["documents"], rows[1]["unscored"], rows[1]["mean"]) == (0, 1, None)
    keeps = cutoffs.table(found, ScoringOptions("m"), True).to_pylist()
    assert keeps[0]["cutoff"] is None and keeps[1]["kept"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep_percent": 101.0},
        {"keep_percent": 10.0, "cutoff": 1.0},
        {"window": 10, "stride": 11},
        {"gpus": 0.0},
        {"batch_tokens": 0},
        {"name": "text"},
        {"name": "two words"},
        {"max_windows": -1},
    ],
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ScoringOptions("m", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["kind", "aggregate", "device", "dtype"])
def test_unknown_words_are_named(key: str) -> None:
    with pytest.raises(UnknownNameError, match=key):
        ScoringOptions("m", **{key: "maen"})  # type: ignore[arg-type]
