"""What stays: spans that recur, against a plain count, and the weights of what had copies."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tamis.dedup.audit import BOUNDS, audit
from tamis.dedup.rehydration import CLASSES, rehydration_weights, weights_of


def twin(lists: list[list[int]], span: int) -> dict[int, float]:
    spans = Counter(tuple(ids[i : i + span]) for ids in lists for i in range(len(ids) - span + 1))
    table = dict.fromkeys(BOUNDS, 0)
    for count in spans.values():
        table[max(bound for bound in BOUNDS if bound <= count)] += count
    return {bound: count / spans.total() for bound, count in table.items()}


def test_shares_are_those_of_the_plain_count(tmp_path: Path) -> None:
    rng = random.Random(1)
    lists = [[rng.randrange(4) for _ in range(rng.randrange(60))] for _ in range(200)]
    lists += [lists[7]] * 5
    batches = [pa.array(lists[i::3], pa.large_list(pa.int32())) for i in range(3)]
    for memory in (1, 1 << 24):
        found = audit(batches, span=4, sample=1, memory=memory, scratch=tmp_path)
        assert dict(found.table) == pytest.approx(twin(lists, 4))
    words = [pa.array([" ".join(f"w{'abcd'[each]}" for each in ids) for ids in lists], pa.large_string())]
    assert audit(words, span=4, sample=1, memory=1 << 24, scratch=tmp_path).table == found.table


def test_a_sample_tells_the_share(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    own = rng.integers(0, 50_000, (300, 500))
    own[200:, :250] = own[0, :250]
    batch = pa.array(own.tolist(), pa.large_list(pa.int32()))
    whole = audit([batch], sample=1, memory=1 << 24, scratch=tmp_path)
    some = audit([batch], sample=8, memory=1 << 24, scratch=tmp_path)
    assert whole.repeated == pytest.approx(101 * 201 / (300 * 451))
    assert some.repeated == pytest.approx(whole.repeated, abs=0.06)
    assert whole.table[5] == (101, pytest.approx(whole.repeated))
    assert audit([], memory=1, scratch=tmp_path).table[0] == (1, 0.0)


def test_weights_follow_what_filters_keep() -> None:
    sizes = np.repeat(np.array([1, 2, 5, 30, 5000]), 1000)
    rates = np.repeat(np.array([0.5, 0.3, 0.1, 0.2, 0.9]), 1000)
    passed = np.tile(np.arange(1000) / 1000, 5) >= rates
    weights = rehydration_weights(sizes, passed)
    assert (weights[1], weights[2], weights[5], weights[21], weights[1001]) == (1, 4, 10, 7, 1)
    assert weights[3] == 1  # nothing is known of threes
    assert weights_of(np.array([1, 2, 5, 29, 10**6]), weights).tolist() == [1, 4, 10, 7, 1]
    assert set(rehydration_weights(sizes[:10], passed[:10])) == set(CLASSES)
