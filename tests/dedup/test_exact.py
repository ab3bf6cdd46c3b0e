"""Exact keys and who of equal documents stays."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.dedup.exact import exact_duplicates, exact_keys
from tamis.dedup.options import DedupOptions

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"
LOOKALIKES = "\u200b\u1681\u2010\u3001\u2060Â\x1c"


def twin(text: str) -> bytes | None:
    kept = [" " if char in SPACES else char for char in text]
    words = " ".join(filter(None, "".join(kept).split(" ")))
    return xxhash.xxh3_128_digest(words.encode()) if words else None


@settings(deadline=None, max_examples=150)
@given(st.lists(st.text(st.sampled_from(SPACES + LOOKALIKES + "abé漢"), max_size=12), max_size=5))
def test_keys_are_those_of_the_plain_definition(texts: list[str]) -> None:
    assert exact_keys(pa.array(texts, pa.large_string())).to_pylist() == [twin(text) for text in texts]


def test_case_digits_and_punctuation_make_another_text() -> None:
    keys = exact_keys(pa.array(["Costs 10", "costs 10", "Costs 20", "Costs 10!"], pa.large_string()))
    assert len(set(keys.to_pylist())) == 4


def batch(keys: list[bytes | None], languages: list[str], priority: list[float | None] | None = None) -> pa.RecordBatch:
    columns = {"exact": pa.array([k and k * 16 for k in keys], pa.binary(16)), "language": languages}
    if priority:
        columns["priority"] = pa.array(priority, pa.float64())
    return pa.record_batch(columns)


def found(streams: list[tuple[int, pa.RecordBatch]], options: DedupOptions, folder: Path) -> list[tuple[int, int]]:
    table = exact_duplicates(streams, options, memory=1 << 20, scratch=folder)
    assert set(table.column("kind").to_pylist()) <= {"exact"}
    return list(zip(table.column("doc").to_pylist(), table.column("kept_doc").to_pylist(), strict=True))


def test_scope_and_order(tmp_path: Path) -> None:
    one = batch([b"a", b"b", None, b"a"], ["fra", "fra", "fra", "deu"])
    two = batch([b"a", None, b"b"], ["fra", "fra", "fra"])
    unit = 3 << 32
    within, over = DedupOptions(), DedupOptions(scope="global")
    for streams in ([(0, one), (3, two)], [(3, two), (0, one)]):
        assert found(streams, within, tmp_path) == [(unit, 0), (unit + 2, 1)]
        assert found(streams, over, tmp_path) == [(3, 0), (unit, 0), (unit + 2, 1)]


def test_priority_overrides_order(tmp_path: Path) -> None:
    one = batch([b"a", b"a", b"a", b"a"], ["fra"] * 4, [None, 2.0, 5.0, 5.0])
    assert found([(1, one)], DedupOptions(survivor="priority"), tmp_path) == [
        ((1 << 32) + row, (1 << 32) + 2) for row in (0, 1, 3)
    ]


@pytest.mark.parametrize("unit", [0, (1 << 32) - 1])
def test_units_use_the_whole_range(unit: int, tmp_path: Path) -> None:
    one = batch([b"a", b"a"], ["fra", "fra"])
    assert found([(unit, one)], DedupOptions(), tmp_path) == [((unit << 32) + 1, unit << 32)]
