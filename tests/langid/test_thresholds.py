"""Thresholds come from scores, the same in any order, and find a rare language among a common one."""

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.langid.thresholds import BINS, HIGH, LOW, as_bound, by_purity, by_spread, histograms, merged


def identified(rows: list[tuple[str, float, str | None, float]]) -> pa.StructArray:
    names = ("language", "score", "rival", "rival_score")
    types = (pa.large_string(), pa.float32(), pa.large_string(), pa.float32())
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]
    return pa.StructArray.from_arrays(columns, names=list(names))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1, width=32), min_size=30, max_size=200))
def test_median_less_spread_clipped(scores: list[float]) -> None:
    (found,) = by_spread(histograms(identified([("fra_Latn", score, None, 0.0) for score in scores])))
    expected = min(max(float(np.median(scores)) - float(np.std(scores)), LOW), HIGH)
    lower = sorted(scores)[(len(scores) + 1) // 2 - 1]
    assert abs(found.median - lower) <= 2 / BINS
    assert LOW <= found.threshold <= HIGH
    assert len(scores) % 2 == 0 or abs(found.threshold - expected) <= 4 / BINS


def test_parts_add_up_in_any_order() -> None:
    random = np.random.default_rng(1)
    rows = [(f"aa{letter}_Latn", float(random.random()), None, 0.0) for letter in "abc" for _ in range(100)]
    whole = by_spread(histograms(identified(rows)))
    parts = [histograms(identified(rows[start::7])) for start in range(7)]
    assert str(by_spread(merged(parts))) == str(whole) == str(by_spread(merged(parts[::-1])))
    assert as_bound(whole).of("aaa_Latn") == whole[0].threshold


def test_a_language_of_few_documents_gets_the_lowest_bound() -> None:
    (found,) = by_spread(histograms(identified([("fra_Latn", 0.95, None, 0.0)] * 5)))
    assert found.threshold == LOW
    assert math.isnan(found.contamination)


def stream() -> tuple[pa.StructArray, np.ndarray]:
    """20,000 documents, 1 % in X; the model, which expects both equally often, takes some Y for X.

    Its log-odds for X are normal around +18 for X and -18 for Y, with the spread (variance twice the mean) that makes
    its probabilities right for balanced data.
    """
    random = np.random.default_rng(5)
    is_x = random.random(20_000) < 0.01
    odds = np.where(is_x, 18, -18) + random.normal(0, 6.0, len(is_x))
    x = 1 / (1 + np.exp(-odds))
    rows = [("xxa_Latn", p, "xxb_Latn", 1 - p) if p > 0.5 else ("xxb_Latn", 1 - p, "xxa_Latn", p) for p in x.tolist()]
    return identified(rows), is_x


def test_a_rare_language_is_found_and_its_contamination_estimated() -> None:
    answers, is_x = stream()
    said_x = np.array([code == "xxa_Latn" for code in answers.field("language").to_pylist()])
    truth = 1 - is_x[said_x].mean()
    assert truth > 0.05  # what is called X is not all X
    by_language = {row.language: row for row in by_purity(answers, purity=0.95)}
    x = by_language["xxa_Latn"]
    assert abs(x.contamination - truth) < 0.02
    kept = said_x & (answers.field("score").to_numpy() >= x.threshold)
    assert is_x[kept].mean() >= 0.95
    assert kept[is_x].mean() >= 0.9
    assert by_language["xxb_Latn"].contamination < 0.01


def test_the_same_stream_gives_the_same_thresholds() -> None:
    answers, _ = stream()
    order = np.random.default_rng(2).permutation(len(answers))
    assert str(by_purity(answers)) == str(by_purity(answers)) == str(by_purity(answers.take(pa.array(order))))
