"""Thresholds come from scores, the same in any order, and find a rare language among a common one."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.langid.thresholds import HIGH, LOW, Threshold, as_bound, derive, merged, tallied

Row = tuple[str, float, str | None, float]


def counted(rows: list[Row]) -> pa.Table:
    language, score, rival, rival_score = zip(*rows, strict=True)
    text, number = pa.large_string(), pa.float32()
    return tallied(
        pa.array(language, text), pa.array(score, number), pa.array(rival, text), pa.array(rival_score, number)
    )


def one(rows: list[Row]) -> Threshold:
    (found,) = derive(counted(rows))
    return found


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1, width=32), min_size=31, max_size=201))
def test_median_less_spread_clipped(scores: list[float]) -> None:
    found = one([("fra_Latn", score, None, 0.0) for score in scores])
    assert abs(found.median - sorted(scores)[(len(scores) + 1) // 2 - 1]) <= 0.0002
    assert abs(found.std - np.std(scores)) <= 0.0002
    assert LOW <= found.by_spread <= HIGH
    if len(scores) % 2:
        assert abs(found.by_spread - min(max(float(np.median(scores)) - float(np.std(scores)), LOW), HIGH)) <= 0.001


def test_parts_add_up_in_any_order() -> None:
    random = np.random.default_rng(1)
    codes = ["aaa_Latn", "aab_Latn", "aac_Latn", ""]
    rows: list[Row] = [
        (codes[n % 3], float(random.random()), codes[int(random.integers(4))] or None, float(random.random()) / 2)
        for n in range(300)
    ]
    whole = counted(rows)
    parts = [counted(rows[start::7]) for start in range(7)]
    assert merged(parts) == whole == merged(parts[::-1]) == merged([merged(parts[:3]), merged(parts[3:])])
    assert int(pa.compute.sum(whole["documents"]).as_py()) == 300
    assert derive(merged(parts)) == derive(whole)
    assert as_bound(derive(whole), "spread").of("aaa_Latn") == derive(whole)[0].by_spread
    assert as_bound(derive(whole), "purity").of("never_Seen") == LOW


def test_a_language_of_few_documents_gets_the_lowest_bound() -> None:
    assert one([("fra_Latn", 0.95, None, 0.0)] * 5).by_spread == LOW
    assert one([("fra_Latn", 0.95, None, 0.0)] * 50).by_spread == HIGH


def test_no_documents_have_no_thresholds() -> None:
    assert derive(merged([])) == []


def stream() -> tuple[list[Row], np.ndarray]:
    """20,000 documents, 1 % in X; the model, which expects both equally often, takes some Y for X.

    Its log-odds for X are normal around +9 for X and -9 for Y, with the spread that makes the square of its odds right
    for balanced data: variance twice the mean once doubled.
    """
    random = np.random.default_rng(5)
    is_x = random.random(20_000) < 0.01
    odds = np.where(is_x, 18, -18) + random.normal(0, 6.0, len(is_x))
    x = 1 / (1 + np.exp(-odds / 2))
    return [
        ("xxa_Latn", p, "xxb_Latn", 1 - p) if p > 0.5 else ("xxb_Latn", 1 - p, "xxa_Latn", p) for p in x.tolist()
    ], is_x


def test_a_rare_language_is_found_and_its_contamination_estimated() -> None:
    rows, is_x = stream()
    said_x = np.array([row[0] == "xxa_Latn" for row in rows])
    truth = 1 - is_x[said_x].mean()
    assert truth > 0.05  # what is called X is not all X
    by_language = {row.language: row for row in derive(counted(rows))}
    x = by_language["xxa_Latn"]
    assert abs(x.contamination - truth) < 0.02
    kept = said_x & (np.array([row[1] for row in rows]) >= x.by_purity)
    assert is_x[kept].mean() >= 0.95
    assert kept[is_x].mean() >= 0.9
    assert by_language["xxb_Latn"].contamination < 0.01


def test_the_same_stream_gives_the_same_thresholds() -> None:
    rows, _ = stream()
    order = np.random.default_rng(2).permutation(len(rows))
    assert derive(counted(rows)) == derive(counted([rows[n] for n in order]))
