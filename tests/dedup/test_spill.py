"""The external sort: the same order for any memory and order of arrival, and groups never parted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.dedup.sorting import sort_order
from tamis.dedup.spill import Sorter, repeated

DTYPE = np.dtype([("key", np.uint64), ("doc", np.uint64)])


def records(rows: int, keys: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.empty(rows, DTYPE)
    made["key"] = rng.integers(0, 1 << 63, keys, dtype=np.uint64)[rng.integers(0, keys, rows)] * np.uint64(2)
    made["doc"] = rng.permutation(rows)
    return made


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9))))
def test_order_is_by_all_fields(rows: list[tuple[int, int]]) -> None:
    made = np.array(rows, DTYPE)
    assert made[sort_order(made)].tolist() == sorted(rows)


def test_spilled_equals_held_and_leaves_nothing_behind(tmp_path: Path) -> None:
    made = records(60_000, 40_000, 1)
    values, counts = np.unique(made["key"], return_counts=True)
    wanted = np.sort(made[np.isin(made["key"], values[counts > 1])])
    for memory in (1, 200_000, 1 << 30):
        with Sorter(DTYPE, memory, tmp_path) as sorter:
            for part in np.array_split(made, 17):
                sorter.add(part)
            blocks = [block for block, _ in repeated(iter(sorter), ("key",))]
            assert (sorter.spilled > 0) == (memory < 1 << 30)
        assert np.array_equal(np.concatenate(blocks), wanted)
        assert all(one["key"][-1] < two["key"][0] for one, two in pairwise(blocks))
        assert not list(tmp_path.iterdir())


def test_one_key_larger_than_the_memory_comes_whole(tmp_path: Path) -> None:
    made = records(9_000, 1, 2)
    with Sorter(DTYPE, 1, tmp_path) as sorter:
        sorter.add(made)
        blocks = list(sorter)
    assert len(blocks) == 1
    assert blocks[0]["doc"].tolist() == list(range(9_000))


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    with Sorter(DTYPE, 1 << 20, tmp_path) as sorter:
        sorter.add(np.empty(0, DTYPE))
        assert list(repeated(iter(sorter), ("key",))) == []


def test_repeated_keeps_groups_of_two_and_more() -> None:
    made = np.array([(1, 5), (2, 1), (2, 7), (3, 0), (4, 2), (4, 3), (4, 9)], DTYPE)
    [(kept, starts)] = list(repeated(iter([made]), ("key",)))
    assert kept.tolist() == [(2, 1), (2, 7), (4, 2), (4, 3), (4, 9)]
    assert starts.tolist() == [0, 2]
