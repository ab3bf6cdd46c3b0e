"""Star rounds as shards: the components that memory finds, at any executor, after a kill, and with a file gone bad."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tamis.dedup.bands import BUCKETS
from tamis.dedup.exact import EXACT as EXACT_SCHEMA
from tamis.dedup.options import DedupOptions
from tamis.errors import OutputError
from tamis.pipeline import rounds
from tamis.pipeline.arrowfiles import path_of, write_file
from tamis.pipeline.dedupplan import CLUSTER, EXACT, PAIR, plan_shards
from tamis.pipeline.duplicates import Deduplicate
from tamis.pipeline.executor import load
from tamis.pipeline.manifest import Manifest, Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import Storage
from tamis.pipeline.work import Work

OPTIONS = DedupOptions(bands=3, rows_per_band=1, band_sets=1)
UNITS = ["00000-000", "00001-000"]
# Components fit in none of it, so that rounds are needed.
LITTLE = 4000


def graph() -> Iterator[list[tuple[int, int]]]:
    """Yield (bucket, document) by band: a long path, a star, and pairs at random, in two units."""
    rng = random.Random(4)
    docs = [unit << 32 | row for unit in range(2) for row in range(900)]
    path, star = rng.sample(docs, 400), rng.sample(docs, 150)
    edges = [[path[i], path[i + 1]] for i in range(len(path) - 1)]
    pairs = [rng.sample(docs, rng.choice([2, 2, 3])) for _ in range(200)]
    for some in (edges[::2], edges[1::2], [star, *pairs]):
        held: set[int] = set()
        rows = []
        for number, members in enumerate(some):
            fresh = [doc for doc in members if doc not in held]
            held.update(fresh)
            rows += [(number, doc) for doc in sorted(fresh) if len(fresh) > 1]
        yield rows


@pytest.fixture
def given(tmp_path: Path) -> tuple[Storage, dict[str, list[Shard]]]:
    storage = Storage(str(tmp_path / "out"))
    shards = plan_shards(UNITS, OPTIONS, [f"part-{part}" for part in range(3)])
    shards = {step: [replace(shard, fingerprint="f") for shard in of] for step, of in shards.items()}
    gone = pa.record_batch([np.array([5], np.uint64), np.array([4], np.uint64), ["exact"]], schema=EXACT_SCHEMA)
    files = {EXACT: write_file(storage, path_of(PAIR, EXACT), EXACT_SCHEMA, [gone])}
    for band, rows in enumerate(graph()):
        columns = [np.array([row[at] for row in rows], np.uint64) for at in (0, 1)]
        batch = pa.record_batch([*columns, np.full(len(rows), band, np.int16)], schema=BUCKETS)
        name = f"band-{band:02d}"
        files[name] = write_file(storage, path_of(PAIR, name), BUCKETS, [batch])
    manifest = Manifest(storage)
    for name, entry in files.items():
        manifest.add(Receipt(PAIR, name, "f", (), (entry,), {"documents": entry.rows}))
    return storage, shards


def answer(storage: Storage) -> dict[str, bytes]:
    return {path: storage.read(path) for path in sorted(storage.list("work/cluster"))}


def cluster(
    storage: Storage, shards: dict[str, list[Shard]], memory: int, *, workers: int = 0, stop: int = 10_000
) -> dict[str, bytes]:
    """Do the cluster step, its rounds with so many workers; `stop` after so many shards, as a kill would."""
    manifest, done = Manifest(storage), 0
    executor = load("local" if workers else "inline", workers or 1, None, None)

    def do(step: str, work: Work, given: Sequence[Shard]) -> None:
        nonlocal done
        manifest.void(manifest.missing(given))
        for receipts in executor.run(work, manifest.missing(given)):
            if done >= stop:
                raise KeyboardInterrupt
            done += 1
            for receipt in receipts:
                manifest.add(receipt)

    try:
        [shard] = [rounds.joined(each, shards[PAIR], manifest, storage, memory, do) for each in shards[CLUSTER]]
        assert ("stars" in shard.payload) == (memory == LITTLE)
        Deduplicate(OPTIONS, storage, memory)(shard)
    finally:
        executor.close()
    rounds.clear(manifest, storage)
    assert not storage.list(f"work/{rounds.STAR}")
    assert not [receipt for receipt in Manifest(storage).all() if receipt.step == rounds.STAR]
    return answer(storage)


def test_rounds_find_what_memory_does(given: Any) -> None:
    storage, shards = given
    wanted = cluster(storage, shards, 1 << 30)
    assert len(wanted) == 4
    assert max(map(len, wanted.values())) > 1000
    assert cluster(storage, shards, LITTLE) == wanted
    assert cluster(storage, shards, LITTLE, workers=2) == wanted


def test_a_run_killed_between_rounds_goes_on(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, shards = given
    wanted = cluster(storage, shards, 1 << 30)
    began: list[str] = []
    does = rounds.Star.__call__

    def noted(work: rounds.Star, shard: Shard) -> tuple[Receipt, ...]:
        began.append(shard.name)
        return does(work, shard)

    monkeypatch.setattr(rounds.Star, "__call__", noted)
    for stop in (1, 5, 30, 60):
        with pytest.raises(KeyboardInterrupt):
            cluster(storage, shards, LITTLE, stop=stop)
    before = len(began)
    assert cluster(storage, shards, LITTLE) == wanted
    # What the runs before had finished of the last whole round is not done again.
    assert not {"000-band-00", "001-small-000"} & set(began[before:])


def test_a_damaged_round_is_made_again_from_the_one_before(given: Any) -> None:
    storage, shards = given
    wanted = cluster(storage, shards, 1 << 30)
    with pytest.raises(KeyboardInterrupt):
        cluster(storage, shards, LITTLE, stop=50)
    victim = max(path for path in storage.list(f"work/{rounds.STAR}") if "small" in path and "index" not in path)
    place = Path(storage.where(victim))
    whole = place.read_bytes()
    place.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    with pytest.raises(OutputError, match=f"{victim} was damaged"):
        cluster(storage, shards, LITTLE)
    Manifest(storage).forget_lost()
    assert cluster(storage, shards, LITTLE) == wanted


def test_nothing_is_joined_where_the_answer_is_there(given: Any) -> None:
    storage, shards = given
    manifest = Manifest(storage)
    [shard] = shards[CLUSTER]
    manifest.add(Receipt(CLUSTER, shard.name, "f"))
    assert rounds.joined(shard, shards[PAIR], manifest, storage, LITTLE, lambda *_: pytest.fail()) is shard
    assert json.loads(json.dumps(shard.payload)) == shard.payload
