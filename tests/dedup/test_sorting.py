"""Sorting against Python's own, for keys spread evenly, in clumps, equal, and at the ends of their range."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.dedup.sorting import recurring_records, sort_order, sorted_records

PAIR = np.dtype([("key", np.uint64), ("doc", np.uint64)])
WIDE = np.dtype([("key", np.uint64), ("low", np.uint64), ("rank", np.float64), ("doc", np.uint64)])
TOP = (1 << 64) - 1

KEYS = st.one_of(st.integers(0, 4), st.integers(TOP - 3, TOP), st.integers(0, TOP))


@settings(deadline=None, max_examples=120)
@given(st.lists(st.tuples(KEYS, st.one_of(st.integers(0, 9), st.just(TOP))), max_size=60))
def test_pairs_come_in_order_of_both_fields(rows: list[tuple[int, int]]) -> None:
    made = np.array(rows, PAIR)
    assert sorted_records(made).tolist() == sorted(rows)
    assert made[sort_order(made)].tolist() == sorted(rows)
    assert made.tolist() == rows


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 9)), max_size=40))
def test_wider_records_do_too(rows: list[tuple[int, int, float, int]]) -> None:
    assert sorted_records(np.array(rows, WIDE)).tolist() == sorted(rows)


@pytest.mark.parametrize("kind", ["spread", "clumps", "one cluster", "two ends", "all equal"])
def test_many_of_every_kind(kind: str) -> None:
    rng = random.Random(kind)
    keys = {
        "spread": lambda: rng.getrandbits(64),
        "clumps": lambda: rng.randrange(7) << 32 | rng.randrange(1000),
        "one cluster": lambda: rng.choice([12345 << 40, rng.getrandbits(64), rng.getrandbits(64)]),
        "two ends": lambda: rng.choice([0, TOP]),
        "all equal": lambda: 7,
    }[kind]
    rows = [(keys(), rng.randrange(50_000)) for _ in range(20_000)]
    found = sorted_records(np.array(rows, PAIR))
    assert found.tolist() == sorted(rows)
    kept, starts = recurring_records(found, ("key",))
    wanted, again = np.unique(found["key"], return_counts=True)
    wanted = wanted[again > 1]
    assert kept.tolist() == found[np.isin(found["key"], wanted)].tolist()
    assert kept["key"][starts].tolist() == wanted.tolist()


def test_recurring_records_by_more_fields_than_one() -> None:
    rows = [
        (1, 1, 0.0, 5),
        (1, 2, 0.0, 1),
        (1, 2, 0.0, 9),
        (4, 0, 0.0, 2),
        (4, 0, 1.0, 3),
        (4, 0, 1.0, 4),
        (5, 0, 0.0, 1),
    ]
    kept, starts = recurring_records(np.array(rows, WIDE), ("key", "low"))
    assert kept["doc"].tolist() == [1, 9, 2, 3, 4]
    assert starts.tolist() == [0, 2]
