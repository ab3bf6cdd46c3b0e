"""Large and small stars in turn: the components of the union-find, in few rounds, whatever the memory and order."""

from __future__ import annotations

import math
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tamis.dedup.bands import BUCKETS
from tamis.dedup.components import find_components
from tamis.dedup.external import ExternalComponents, bucket_edges
from tamis.dedup.stars import EDGE, find_stars


def batch(rows: list[tuple[int, int]], band: int = 0) -> pa.RecordBatch:
    rows = sorted(set(rows))
    columns = [np.array([row[at] for row in rows], np.uint64) for at in (0, 1)]
    return pa.record_batch([*columns, np.full(len(rows), band, np.int16)], schema=BUCKETS)


def edges(pairs: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pairs.astype(np.uint64)).view(EDGE).ravel()


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 25)), max_size=40),
    gone=st.sets(st.integers(0, 25)),
    partitions=st.integers(1, 5),
    since=st.one_of(st.none(), st.integers(0, 25)),
)
def test_files_say_what_memory_does(
    tmp_path: Path, rows: list[tuple[int, int]], gone: set[int], partitions: int, since: int | None
) -> None:
    batches = [batch([row for row in rows if row[0] % 3 == band], band) for band in range(3)]
    exclude = np.array(sorted(gone), np.uint64)
    wanted = None if since is None else (lambda docs: docs >= np.uint64(since))
    held = find_components(lambda: batches, exclude=exclude)
    stars = find_stars(bucket_edges(batches, exclude), memory=1, scratch=tmp_path)
    found = ExternalComponents(stars.blocks(), memory=1, scratch=tmp_path)

    def members(of: object) -> list[tuple[int, int]]:
        pieces = list(of.members(partitions, wanted=wanted))  # type: ignore[attr-defined]
        return [pair for docs, parts in pieces for pair in zip(docs.tolist(), parts.tolist(), strict=True)]

    def split(of: object) -> list[tuple[int, list[dict[str, int]]]]:
        return [(part, rows.to_pylist()) for part, rows in of.split(lambda: batches, partitions, wanted=wanted)]  # type: ignore[attr-defined]

    assert members(found) == members(held)
    assert split(found) == split(held)


def graph(total: int, long: int, seed: int) -> Iterator[np.ndarray]:
    """Yield about `total` edges: a path and a star of `long` nodes, the rest between random nodes of small groups."""
    rng = np.random.default_rng(seed)
    path, star = rng.permutation(long), np.delete(np.arange(long, 2 * long), 7)
    group = rng.integers(0, total // 8, total - 2 * long) * 9 + 2 * long
    pairs = np.concatenate(
        [
            np.stack([path[:-1], path[1:]], 1),
            np.stack([np.full(long - 1, long + 7), star], 1),
            np.stack([group + rng.integers(0, 9, len(group)), group + rng.integers(0, 9, len(group))], 1),
        ]
    )
    yield from np.array_split(edges(pairs[rng.permutation(len(pairs))]), 50)


def answer(total: int, long: int, seed: int, memory: int, folder: Path) -> tuple[bytes, int]:
    found = find_stars(graph(total, long, seed), memory=memory, scratch=folder)
    data = found.path.read_bytes()
    found.path.unlink()
    return data, found.rounds


def check(total: int, long: int, memories: tuple[int, ...], folder: Path) -> None:
    wanted: bytes | None = None
    for seed, memory in enumerate(memories):
        # Another seed shuffles edges and numbers the path anew: its least node is the same.
        data, rounds = answer(total, long, 0 if seed < len(memories) - 1 else 1, memory, folder)
        found = np.frombuffer(data, EDGE)
        assert rounds <= 3 * math.log2(len(found))
        path = found[found["node"] < long]
        star = found[(found["node"] >= long) & (found["node"] < 2 * long)]
        assert len(path) == len(star) == long - 1
        assert set(path["other"].tolist()) == {0}
        assert set(star["other"].tolist()) == {long}
        assert (np.diff(found["node"].astype(np.int64)) > 0).all()
        if seed < len(memories) - 1:
            assert wanted is None or data == wanted
            wanted = data


def test_long_paths_and_stars_settle_in_few_rounds(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        check(200_000, 30_000, (1 << 30, 4 << 20, 1 << 30), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_million_edges(tmp_path: Path) -> None:
    check(2_000_000, 300_000, (1 << 28, 24 << 20, 1 << 28), tmp_path)
