"""Windows: every token in one, the last as long as the others, aggregates and coverage as declared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.scoring import windows


@given(st.lists(st.integers(0, 400), max_size=6), st.integers(1, 60), st.integers(0, 60), st.integers(0, 5))
@settings(deadline=None, max_examples=200)
def test_windows_cover_their_documents(counts: list[int], size: int, stride: int, limit: int) -> None:
    stride = min(stride, size)
    made = windows.cut(np.array(counts, np.int64), size, stride, limit)
    for number, count in enumerate(counts):
        mine = made.document == number
        starts, lengths, fresh = made.start[mine], made.length[mine], made.fresh[mine]
        seen = np.zeros(count, int)
        new = np.zeros(count, int)
        for start, length, own in zip(starts, lengths, fresh, strict=True):
            assert length == min(size, count)
            seen[start : start + length] += 1
            new[start + length - own : start + length] += 1
        assert (new <= 1).all() and ((new > 0) == (seen > 0)).all()
        if limit:
            assert len(starts) <= limit
            if count and limit > 1:
                assert starts[0] == 0 and starts[-1] + lengths[-1] == count
        else:
            assert (seen > 0).all()
        assert windows.coverage(made, np.array(counts))[number] == pytest.approx((seen > 0).mean() if count else 0)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=5), st.integers(1, 40))
@settings(deadline=None, max_examples=100)
def test_aggregates_agree_with_plain_sums(counts: list[int], size: int) -> None:
    made = windows.cut(np.array(counts, np.int64), size)
    values = np.random.default_rng(sum(counts)).normal(size=len(made))
    for how in ("mean", "max", "length-weighted"):
        found = windows.aggregate(values, made, len(counts), how)
        for number, count in enumerate(counts):
            mine = made.document == number
            if count == 0:
                assert np.isnan(found[number])
                continue
            weights = made.fresh[mine] if how == "length-weighted" else np.ones(mine.sum())
            expected = values[mine].max() if how == "max" else np.average(values[mine], weights=weights)
            assert found[number] == pytest.approx(expected)


def test_no_window_is_a_stub() -> None:
    made = windows.cut(np.array([101]), 100)
    assert made.start.tolist() == [0, 1] and made.length.tolist() == [100, 100] and made.fresh.tolist() == [100, 1]


@pytest.mark.parametrize(("size", "stride"), [(0, 0), (10, 11)])
def test_windows_that_would_lose_text_are_refused(size: int, stride: int) -> None:
    with pytest.raises(ValueError, match="windows"):
        windows.cut(np.array([5]), size, stride)
