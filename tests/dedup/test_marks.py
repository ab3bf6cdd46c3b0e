"""Marks against plain sets: growing by batches in any order, with units far apart."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.dedup.marks import Marks

DOCS = st.tuples(st.integers(0, 9), st.integers(0, 700)).map(lambda doc: doc[0] << 32 | doc[1])


def array(docs: list[int]) -> np.ndarray:
    return np.array(docs, np.uint64)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.lists(DOCS, max_size=8), max_size=6), st.lists(DOCS, max_size=9), st.lists(DOCS, max_size=20))
def test_members_and_places_are_those_of_a_sorted_set(
    batches: list[list[int]], gone: list[int], asked: list[int]
) -> None:
    marks = Marks()
    for batch in batches:
        marks.add(array(batch))
    marks.remove(array(gone))
    marks.close()
    wanted = sorted({doc for batch in batches for doc in batch} - set(gone))
    assert marks.docs().tolist() == wanted
    asked = [*asked, *wanted, 1 << 40]
    assert marks.places(array(asked)).tolist() == [wanted.index(doc) if doc in wanted else -1 for doc in asked]


def test_ten_million_rows_cost_a_few_megabytes() -> None:
    marks = Marks()
    marks.add(np.arange(0, 10_000_000, 97, dtype=np.uint64) | np.uint64(3 << 32))
    marks.close()
    assert marks.words.nbytes + marks.before.nbytes < 4_000_000
    assert marks.places(array([3 << 32 | 970])).tolist() == [10]
