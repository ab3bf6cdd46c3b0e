"""The forecast of disk and memory against what deduplication then takes: two sizes, few copies and many."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tamis.dedup.estimate import Overlap
from tamis.dedup.minhash import sign, signature_schema
from tamis.dedup.options import DedupOptions
from tamis.pipeline.arrowfiles import WORK_FILE, sifted_path, signatures_path
from tamis.pipeline.dedupplan import plan_shards
from tamis.pipeline.forecast import forecast
from tamis.pipeline.manifest import NAME, Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import Storage
from tamis.pipeline.survey import survey

OPTIONS = DedupOptions()
MEMORY = 1 << 30
# What a worker does: every shard of deduplication, one after another. Prints the most it held.
WORKER = """
import json, sys
from pathlib import Path
from tamis.dedup.options import DedupOptions
from tamis.pipeline.dedupplan import plan_shards
from tamis.pipeline.duplicates import Deduplicate
from tamis.pipeline.storage import Storage
work = Deduplicate(DedupOptions(), Storage(sys.argv[1]), int(sys.argv[2]))
for shards in plan_shards(json.loads(sys.argv[3]), work.options).values():
    for shard in shards:
        work(shard)
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024)
"""


def texts(count: int, words: int, copies: float, exact: float, seed: int) -> list[str]:
    """Return made-up texts; a share of them copies of earlier ones, of which a share changes nothing."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array(["".join(rng.choice(list("etaoinshrdlu"), 3 + i % 6)) for i in range(5000)])
    chosen = rng.integers(0, 5000, (count, words))
    again = np.flatnonzero(rng.random(count) < copies)
    again = again[again > 0]
    chosen[again] = chosen[(again * rng.random(len(again))).astype(np.int64)]
    changed = again[rng.random(len(again)) >= exact]
    chosen[changed, rng.integers(0, words, len(changed))] = rng.integers(0, 5000, len(changed))
    return [" ".join(row) for row in vocabulary[chosen]]


def store(folder: Path, made: list[str], rows: int) -> tuple[Storage, list[str]]:
    """Write units of so many texts as curate does, with receipts."""
    storage = Storage(str(folder))
    schema = pa.schema([pa.field("language", pa.large_string()), *signature_schema(OPTIONS)])
    units = [f"{unit:05d}-000" for unit in range(-(-len(made) // rows))]
    for number, unit in enumerate(units):
        some = made[number * rows : (number + 1) * rows]
        column = pa.array(some, pa.large_string())
        language = pa.array(["eng_Latn"] * len(some), pa.large_string())
        ids = pa.array([f"{unit}:{row}" for row in range(len(some))], pa.large_string())
        none = pa.nulls(len(some), pa.large_string())
        batch = pa.record_batch(
            {"id": ids, "text": column, "language": language, "url": none, "bytes": [9] * len(some)}
        )
        signed = pa.RecordBatch.from_arrays([language, *sign(column, OPTIONS).columns], schema=schema)
        entries = []
        for path, part in ((sifted_path(unit), batch), (signatures_path(unit), signed)):
            with storage.create(path) as sink, pa.ipc.new_file(sink, part.schema, options=WORK_FILE) as writer:
                for start in range(0, len(some), 2000):
                    writer.write_batch(part.slice(start, 2000))
            entries.append(sink.entry(path))
        size = sum(map(len, some))
        ledger = (
            ("sift", "eng_Latn", "kept", "", len(some), size, size, 0),
            ("sift", "eng_Latn", "in", "", len(some), size, size, 0),
        )
        receipt = Receipt("sift", unit, "f", ledger, tuple(entries))
        storage.append(NAME, f"{receipt.to_json(timing=True)}\n".encode())
    return storage, units


def plan_of(units: list[str], told: int) -> Any:
    """Return as much of a plan as a forecast asks for, the first units being done."""
    sift = [Shard("sift", unit, "f" if number < told else "later") for number, unit in enumerate(units)]
    return SimpleNamespace(sift=sift, dedup=plan_shards(units, OPTIONS), sources=())


def taken(storage: Storage, units: list[str]) -> tuple[int, int]:
    """Return the bytes that deduplication leaves in files, and the most its process held."""
    command = [sys.executable, "-P", "-c", WORKER, storage.root, str(MEMORY), json.dumps(units)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    disk = sum(sum(storage.sizes(folder).values()) for folder in ("signatures", "work")) - sum(
        storage.sizes("work/sift").values()
    )
    return disk, int(done.stdout)


@pytest.mark.parametrize(
    ("count", "words", "copies", "exact", "told"),
    [(6_000, 300, 0.5, 0.8, 6), (6_000, 60, 0.02, 0.1, 6), (60_000, 80, 0.3, 0.2, 60), (60_000, 80, 0.3, 0.2, 30)],
)
def test_disk_and_memory_are_told_within_a_quarter(
    count: int, words: int, copies: float, exact: float, told: int, tmp_path: Path
) -> None:
    storage, units = store(tmp_path, texts(count, words, copies, exact, count), 1000)
    told_needs = forecast(plan_of(units, told), storage, OPTIONS, MEMORY)
    assert told_needs.documents == count
    disk, memory = taken(storage, units)
    print(
        f"{count}: {told_needs.needs.disk / disk:.2f} of the disk, {told_needs.needs.memory / memory:.2f} of the memory"
    )
    assert told_needs.needs.disk == pytest.approx(disk, rel=0.25)
    assert told_needs.needs.memory == pytest.approx(memory, rel=0.25)


def test_a_survey_counts_who_shares_buckets(tmp_path: Path) -> None:
    made = texts(3000, 60, 0.0, 0.0, 1)
    storage, units = store(tmp_path / "none", made, 500)
    assert survey(storage, units, 3000, OPTIONS) == Overlap(0.0, 0.0, 0.0, 0.0)
    assert survey(storage, units[:1], 3000, OPTIONS) is None
    storage, units = store(tmp_path / "half", [*made[:1000], *made[:1000], *made[1000:2000]], 500)
    found = survey(storage, units, 3000, OPTIONS)
    # Two thirds share their buckets with a copy, in every band, and nothing is left when the copies are gone.
    assert found is not None
    assert found.shared == pytest.approx(2 / 3)
    assert (found.met, found.left, found.met_left) == (1.0, 0.0, 0.0)
