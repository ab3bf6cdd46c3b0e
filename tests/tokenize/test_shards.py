"""Shard planning: every document in one shard, sizes as asked, whatever the units."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import ConfigError
from tamis.tokenize import plan_shards

UNITS = st.lists(st.lists(st.integers(0, 30), max_size=12), min_size=1, max_size=8)


def placed(units: list[list[int]], shard_tokens: int) -> list[list[int]]:
    """Return the tokens of the documents of each shard, numbered documents in order."""
    spans = plan_shards([sum(unit) for unit in units], shard_tokens)
    result = []
    for span in spans:
        ranges = {unit: span.rows(unit, units[unit]) for unit in range(len(units))}
        result.append([(unit, row) for unit, (first, last) in ranges.items() for row in range(first, last)])
    return result


@settings(deadline=None, max_examples=400)
@given(units=UNITS, shard_tokens=st.integers(1, 80))
def test_each_document_is_in_one_shard_in_order(units, shard_tokens):
    documents = [(unit, row) for unit, tokens in enumerate(units) for row in range(len(tokens))]
    assert [document for shard in placed(units, shard_tokens) for document in shard] == documents


@settings(deadline=None, max_examples=200)
@given(units=UNITS, shard_tokens=st.integers(1, 80), cut=st.integers(0, 8))
def test_a_document_lies_where_its_first_token_does(units, shard_tokens, cut):
    position = 0
    starts = {}
    for unit, tokens in enumerate(units):
        for row, count in enumerate(tokens):
            starts[unit, row] = position if count else None
            position += count
    for number, shard in enumerate(placed(units, shard_tokens)):
        assert all(starts[document] is None or starts[document] // shard_tokens == number for document in shard)


def test_shards_are_within_one_percent_of_what_was_asked():
    units = [[(7919 * (unit * 100 + row)) % 400 + 1 for row in range(100)] for unit in range(50)]
    sizes = [sum(units[unit][row] for unit, row in shard) for shard in placed(units, 50_000)]
    assert all(abs(size - 50_000) <= 500 for size in sizes[:-1])
    assert len(sizes) == -(-sum(map(sum, units)) // 50_000)


def test_edges():
    assert plan_shards([], 10) == []
    (only,) = plan_shards([0, 0], 10)
    assert (only.rows(0, [0]), only.rows(1, [0, 0]), only.rows(2, [1]), only.name) == (
        (0, 1),
        (0, 2),
        (0, 0),
        "00000.arrow",
    )
    assert [len(shard) for shard in placed([[35, 1]], 10)] == [1, 0, 0, 1]
    with pytest.raises(ConfigError):
        plan_shards([1], 0)
