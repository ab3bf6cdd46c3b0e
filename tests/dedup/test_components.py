"""Components of shared buckets against a plain twin, and long paths and large buckets within them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.dedup.bands import BUCKETS
from tamis.dedup.components import find_components


def batch(rows: list[tuple[int, int]]) -> pa.RecordBatch:
    rows = sorted(set(rows))
    columns = [np.array([row[0] for row in rows], np.uint64), np.array([row[1] for row in rows], np.uint64)]
    return pa.record_batch([*columns, np.zeros(len(rows), np.int16)], schema=BUCKETS)


def twin(rows: list[tuple[int, int]]) -> dict[int, int]:
    component = {doc: doc for _, doc in rows}
    for _ in component:
        for bucket, doc in rows:
            least = min(component[other] for shared, other in rows if shared == bucket)
            component[doc] = min(component[doc], least)
    return component


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 12)), max_size=14), st.sets(st.integers(0, 12)))
def test_components_are_those_of_the_plain_definition(rows: list[tuple[int, int]], gone: set[int]) -> None:
    left = [row for row in rows if row[1] not in gone]
    wanted = twin(left)
    for batches in ([batch(rows)], [batch([row for row in rows if row[0] == b]) for b in (6, 3, 1, 0, 2, 5, 4)]):
        found = find_components(lambda batches=batches: batches, exclude=np.array(sorted(gone), np.uint64))
        assert found.docs.tolist() == sorted(wanted)
        assert found.of(found.docs).tolist() == [wanted[doc] for doc in sorted(wanted)]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 20)), max_size=30), st.integers(1, 7))
def test_split_parts_no_component_and_loses_no_row(rows: list[tuple[int, int]], partitions: int) -> None:
    one = batch(rows)
    home: dict[int, int] = {}
    seen = []
    for partition, members in find_components(lambda: [one]).split(lambda: [one], partitions):
        for row in members.to_pylist():
            assert home.setdefault(row["component"], partition) == partition
            seen.append((row["bucket"], row["doc"]))
    component = twin(rows)
    sizes = Counter(component.values())
    assert sorted(seen) == sorted(row for row in set(rows) if sizes[component[row[1]]] > 1)
    [(docs, _)] = find_components(lambda: [one]).members(partitions)
    assert docs.tolist() == sorted({doc for _, doc in seen})


def test_a_long_path_and_a_large_bucket() -> None:
    docs = np.arange(300_000, dtype=np.uint64)
    path = pa.record_batch(
        [np.repeat(docs[1:], 2), np.stack([docs[:-1], docs[1:]], 1).ravel(), np.zeros(599_998, np.int16)],
        schema=BUCKETS,
    )
    star = pa.record_batch([np.full(300_000, 7, np.uint64), docs + 10**9, np.zeros(300_000, np.int16)], schema=BUCKETS)
    found = find_components(lambda: [path.slice(300_000), star, path.slice(0, 300_000)])
    assert found.sizes().tolist() == [300_000, 300_000]
    assert set(found.of(docs).tolist()) == {0}
