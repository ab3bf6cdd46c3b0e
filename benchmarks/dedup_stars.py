"""Components by star rounds as shards under the local executor: wall time with 1 worker and with 2, the same bytes.

    python -P benchmarks/dedup_stars.py [--edges 20000000] [--memory 48MB] [--workers 1 2]

The graph has a path and a star of 300,000 documents each among groups of eight, documents in no order, as buckets of 28
bands; `--memory` is so little that rounds are needed. Printed are how many (at most 3 log2 of the documents), their
time and shards, the time of the whole cluster step, and the CPU time of all shards beside that of the busier worker of
each step, which no other load on the machine hides; the answer is compared with that of memory.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.bands import BUCKETS
from tamis.dedup.exact import EXACT as EXACT_SCHEMA
from tamis.dedup.options import DedupOptions, band_names
from tamis.pipeline import rounds
from tamis.pipeline.arrowfiles import path_of, write_file
from tamis.pipeline.dedupplan import CLUSTER, EXACT, PAIR, plan_shards
from tamis.pipeline.duplicates import Deduplicate
from tamis.pipeline.executor import load
from tamis.pipeline.manifest import Manifest, Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import Storage
from tamis.pipeline.work import Work
from tamis.recipe import size

OPTIONS = DedupOptions(scope="global")
LONG = 300_000
UNITS = [f"{unit:05d}-000" for unit in range(40)]
ROWS = 1 << 18
Docs = npt.NDArray[np.int64]


def pairs_of(band: int, docs: Docs) -> tuple[Docs, Docs]:
    """Return bucket and document of the rows of a band; `docs` holds the path, the star, then groups of eight."""
    path, star, groups = docs[:LONG], docs[LONG : 2 * LONG], docs[2 * LONG :]
    if band < 2:
        members = path[band : band + (LONG - band) // 2 * 2]
        buckets = np.arange(len(members)) // 2
    elif band == 2:
        members, buckets = star, np.zeros(LONG, np.int64)
    else:
        # Each document with the one whose place in the group differs in one bit, another one every third band.
        places = np.arange(len(groups))
        members, buckets = groups, np.minimum(places, places ^ (1 << band % 3))
    order = np.lexsort([members, buckets])
    return buckets[order], members[order]


def write_pairs(storage: Storage, edges: int, documents: int) -> list[Receipt]:
    docs = np.random.default_rng(1).permutation(documents)
    docs = (docs % len(UNITS) << 32) | docs // len(UNITS)
    nothing = EXACT_SCHEMA.empty_table()
    files = {EXACT: write_file(storage, path_of(PAIR, EXACT), EXACT_SCHEMA, nothing.to_batches())}
    for band, name in enumerate(band_names(OPTIONS)):
        bucket, doc = pairs_of(band, docs)
        # Buckets have hashes for names, in whose order they come.
        keys = (bucket + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        order = np.lexsort([doc, keys])
        whole = pa.record_batch(
            [keys[order], doc[order].astype(np.uint64), np.full(len(doc), band, np.int16)], schema=BUCKETS
        )
        batches = [whole] if band == 2 else [whole.slice(start, ROWS) for start in range(0, len(doc), ROWS)]
        files[f"band-{name[-2:]}"] = write_file(storage, path_of(PAIR, f"band-{name[-2:]}"), BUCKETS, batches)
    return [Receipt(PAIR, name, "f", (), (entry,), {"documents": entry.rows}) for name, entry in files.items()]


@dataclass(frozen=True)
class Timed:
    """Work that notes the CPU seconds of each shard and the process that did it."""

    work: Work

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        begin = time.process_time()
        (receipt,) = self.work(shard)
        noted = {"cpu": time.process_time() - begin, "pid": os.getpid()}
        return (replace(receipt, facts={**receipt.facts, **noted}),)


def cluster(storage: Storage, memory: int, workers: int, title: str) -> dict[str, bytes]:
    manifest, done, executor = Manifest(storage), [0, 0], load("local", workers)
    busy: list[tuple[float, float]] = []
    shards = plan_shards(UNITS, OPTIONS)
    pair, [shard] = ([replace(each, fingerprint="f") for each in shards[step]] for step in (PAIR, CLUSTER))

    def do(step: str, work: Work, given: Sequence[Shard]) -> None:
        missing = manifest.missing(given)
        manifest.void(missing)
        spent: Counter[int] = Counter()
        for (receipt,) in executor.run(Timed(work), missing):
            manifest.add(receipt)
            spent[receipt.facts["pid"]] += receipt.facts["cpu"]
        busy.append((sum(spent.values()), max(spent.values(), default=0.0)))
        done[0], done[1] = done[0] + len(missing), max(int(each.name[:3]) for each in given)

    begin = time.perf_counter()
    shard = rounds.joined(shard, pair, manifest, storage, memory, do)
    joined = time.perf_counter() - begin
    executor.close()
    Deduplicate(OPTIONS, storage, memory)(shard)
    whole = time.perf_counter() - begin
    rounds.clear(manifest, storage)
    total, longest = (sum(column) for column in zip((0.0, 0.0), *busy, strict=True))
    print(f"{title:<24}{done[1]:>4} rounds {done[0]:>6} shards {joined:>9.1f} s {whole:>9.1f} s in all", end="")
    print(f"{total:>9.1f} CPU s, {longest:>7.1f} of the busier worker of each step", flush=True)
    return {path: storage.read(path) for path in storage.list("work/cluster")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=20_000_000)
    parser.add_argument("--memory", default="48MB")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    grouped = max((args.edges - 2 * LONG) * 2 // 25 // 8 * 8, 8)
    with tempfile.TemporaryDirectory(prefix="tamis-stars-") as folder:
        storage = Storage(str(Path(folder, "out")))
        receipts = write_pairs(storage, args.edges, 2 * LONG + grouped)
        for receipt in receipts:
            Manifest(storage).add(receipt)
        rows = sum(int(receipt.facts["documents"]) for receipt in receipts)
        documents = 2 * LONG + grouped
        print(f"{documents:,} documents, {rows:,} rows of buckets, at most {3 * math.log2(documents):.0f} rounds")
        wanted = cluster(storage, size("4GB"), 1, "in memory")
        for workers in args.workers:
            if cluster(storage, size(args.memory), workers, f"{workers} workers, {args.memory}") != wanted:
                raise SystemExit("another answer")


if __name__ == "__main__":
    main()
