"""Packing: every window once, no batch over its budget, little padding where there must be any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.scoring import packing


@given(st.lists(st.integers(1, 512), max_size=60), st.integers(1, 4096), st.booleans())
@settings(deadline=None, max_examples=150)
def test_every_window_is_in_one_batch_within_the_budget(lengths: list[int], budget: int, packed: bool) -> None:
    sizes = np.array(lengths, np.int64)
    plans = list(packing.plan(sizes, budget, packed=packed))
    assert sorted(row for each in plans for row in each.rows.tolist()) == list(range(len(sizes)))
    for each in plans:
        cost = int(sizes[each.rows].sum()) if packed else int(sizes[each.rows].max()) * len(each.rows)
        assert each.cost == cost
        assert cost <= budget or len(each.rows) == 1


@given(st.lists(st.integers(1, 512), min_size=2, max_size=40), st.booleans())
@settings(deadline=None, max_examples=60)
def test_halves_have_what_the_whole_has(lengths: list[int], packed: bool) -> None:
    sizes = np.array(lengths, np.int64)
    for each in packing.plan(sizes, 1 << 20, packed=packed):
        first, second = each.halves(sizes, packed)
        assert first.rows.tolist() + second.rows.tolist() == each.rows.tolist()
        assert len(first.rows) and len(second.rows)


def test_padding_wastes_less_than_a_tenth_of_a_lognormal_mix() -> None:
    sizes = np.clip(np.random.default_rng(0).lognormal(5.5, 1.0, 4000), 1, 512).astype(np.int64)
    padded, packed = (sum(each.cost for each in packing.plan(sizes, 16_384, packed=how)) for how in (False, True))
    assert 1 - sizes.sum() / padded < 0.10 and packed == sizes.sum()
    # In the order in which they come, batches of 32 as others make them would be half padding.
    naive = sum(int(sizes[i : i + 32].max()) * 32 for i in range(0, 4000, 32))
    assert 1 - sizes.sum() / naive > 0.3


def test_one_window_cannot_be_halved() -> None:
    (one,) = packing.plan(np.array([9]), 4, packed=True)
    with pytest.raises(ValueError, match="halved"):
        one.halves(np.array([9]), True)
