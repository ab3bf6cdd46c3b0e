"""Rounds: what shares buckets, joined by large and small stars as shards under the executor, where its documents do not
fit in the memory of one process.

Each round is two steps of as many shards as there are parts, a node's edges being in one part; a shard sorts its part,
and hands its stars to the parts of the next step. How many rounds it takes shows when one changes nothing, so these
shards are in no plan; they leave nothing behind but the components that `cluster` then reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.dedup.components import NODE_BYTES
from tamis.dedup.estimate import held
from tamis.dedup.external import bucket_edges
from tamis.dedup.stars import EDGE, Edges, Tally, descending, large_stars, parted_edges, small_stars, turned
from tamis.pipeline.arrowfiles import batches_of, path_of, table_of
from tamis.pipeline.dedupplan import EXACT, PAIR
from tamis.pipeline.manifest import Manifest, Receipt
from tamis.pipeline.partfiles import read_parts, write_parts
from tamis.pipeline.scratch import scratch_folder
from tamis.pipeline.shard import Shard
from tamis.pipeline.step import digest
from tamis.pipeline.storage import Storage
from tamis.pipeline.work import Work

STAR = "star"

_EDGES, _LARGE, _SMALL = "edges", "large", "small"
_LEAST_PARTS, _MOST_PARTS = 8, 128
# A round of both stars at least halves the depth of what is left; this many have never been needed.
_MOST_ROUNDS = 200
_SCHEMA = pa.schema([pa.field("node", pa.uint64(), nullable=False), pa.field("other", pa.uint64(), nullable=False)])

Do = Callable[[str, Work, Sequence[Shard]], None]


@dataclass(frozen=True)
class Star:
    """The work of a round's shards. Payloads have `kind`, what is read (`of`), their `part`, and how many there are."""

    storage: Storage
    memory: int

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Do one shard; returns its receipt, which has how many edges it left, and their sum."""
        tally, parts = Tally(), shard.payload["parts"]
        with scratch_folder("dedup") as folder:
            found = map(tally, self._found(shard, folder))
            # Large stars are read by the greater node of an edge, small ones and the first by both.
            ways = found if shard.payload["kind"] == _LARGE else _both(found)
            batches = ((part, _batch(edges)) for part, edges in parted_edges(ways, parts))
            files = write_parts(self.storage, path_of(STAR, shard.name), _SCHEMA, batches)
        facts = {"edges": tally.count, "sum": tally.total}
        return (Receipt(shard.step, shard.name, shard.fingerprint, (), tuple(files), facts),)

    def _found(self, shard: Shard, scratch: Path) -> Iterator[Edges]:
        of, kind = shard.payload["of"], shard.payload["kind"]
        if kind == _EDGES:
            gone = table_of(self.storage, path_of(PAIR, EXACT)).column("doc").to_numpy()
            return map(descending, bucket_edges(batches_of(self.storage, path_of(PAIR, of[0])), gone))
        star = large_stars if kind == _LARGE else small_stars
        read = read_parts(self.storage, [path_of(STAR, name) for name in of], shard.payload["part"])
        return star(map(_edges, read), memory=held(self.memory), scratch=scratch)


def joined(cluster: Shard, pair: Sequence[Shard], manifest: Manifest, storage: Storage, memory: int, do: Do) -> Shard:
    """Return the cluster shard, told where its components lie if they are too many for the memory of one process.

    `do` does the shards that are missing. A round that a killed run has finished is not done again.
    """
    receipts = [manifest.get(shard) for shard in pair if shard.payload["band"] is not None]
    rows = [int(receipt.facts["documents"]) for receipt in receipts if receipt]
    # A document is in a band once at most, so at least as many share buckets as one band has.
    if manifest.get(cluster) is not None or NODE_BYTES * max(rows, default=0) <= held(memory):
        return cluster
    parts = min(max(-(-2 * EDGE.itemsize * sum(rows) // held(memory)), _LEAST_PARTS), _MOST_PARTS)
    bands = [shard.name for shard in pair if shard.payload["band"] is not None]
    rounds = _Rounds(cluster, bands, parts)
    work = Star(storage, memory)
    done = [number for number in range(_MOST_ROUNDS) if not manifest.missing(rounds.last(number))]
    begin = max(done, default=0)
    do(STAR, work, rounds.last(begin))
    before = _total(manifest, rounds.last(begin))
    for number in range(begin + 1, _MOST_ROUNDS):
        do(STAR, work, rounds.large(number))
        do(STAR, work, rounds.last(number))
        # Of the rounds before, one is kept: a file of this one that goes bad is made again from it.
        _forget([*rounds.large(number), *(rounds.last(number - 2) if number > 1 else [])], manifest, storage)
        now = _total(manifest, rounds.last(number))
        if now == before:
            return replace(cluster, payload={**cluster.payload, "stars": [each.name for each in rounds.last(number)]})
        before = now
    raise RuntimeError(f"components did not settle in {_MOST_ROUNDS} rounds")


def found_stars(storage: Storage, cluster: Shard) -> Iterator[Edges]:
    """Yield what the last round left for this shard: each node but the least of a component, and the least."""
    names = cluster.payload["stars"]
    for part in range(len(names)):
        for batch in read_parts(storage, [path_of(STAR, name) for name in names], part):
            edges = _edges(batch)
            yield edges[edges["node"] > edges["other"]]


def clear(manifest: Manifest, storage: Storage) -> None:
    """Remove what rounds have left, once it has been read."""
    _forget(
        [Shard(STAR, each.shard, each.fingerprint) for each in manifest.all() if each.step == STAR], manifest, storage
    )


@dataclass(frozen=True, slots=True)
class _Rounds:
    """The shards of each round of one cluster shard."""

    cluster: Shard
    bands: Sequence[str]
    parts: int

    def last(self, number: int) -> list[Shard]:
        """Return the shards a round ends with; round 0 are the edges of each band."""
        if not number:
            return [self._shard(f"000-{band}", _EDGES, [band], 0) for band in self.bands]
        return self._of(number, _SMALL, [shard.name for shard in self._of(number, _LARGE, [])])

    def large(self, number: int) -> list[Shard]:
        """Return the shards a round begins with."""
        before = [f"000-{band}" for band in self.bands]
        if number > 1:
            before = [shard.name for shard in self._of(number - 1, _SMALL, [])]
        return self._of(number, _LARGE, before)

    def _of(self, number: int, kind: str, names: list[str]) -> list[Shard]:
        return [self._shard(f"{number:03d}-{kind}-{part:03d}", kind, names, part) for part in range(self.parts)]

    def _shard(self, name: str, kind: str, of: list[str], part: int) -> Shard:
        payload: dict[str, Any] = {"kind": kind, "of": of, "part": part, "parts": self.parts}
        return Shard(STAR, name, digest(self.cluster.fingerprint, name, self.parts), payload)


def _total(manifest: Manifest, shards: Sequence[Shard]) -> tuple[int, int]:
    facts = [receipt.facts for shard in shards if (receipt := manifest.get(shard))]
    return sum(int(each["edges"]) for each in facts), sum(int(each["sum"]) for each in facts) % (1 << 64)


def _forget(shards: Sequence[Shard], manifest: Manifest, storage: Storage) -> None:
    files = [entry.path for shard in shards if (receipt := manifest.get(shard)) for entry in receipt.files]
    manifest.void(shards)
    for path in files:
        storage.delete(path)


def _both(edges: Iterable[Edges]) -> Iterator[Edges]:
    for block in edges:
        yield block
        yield turned(block)


def _batch(edges: Edges) -> pa.RecordBatch:
    return pa.record_batch([np.ascontiguousarray(edges[name]) for name in ("node", "other")], schema=_SCHEMA)


def _edges(batch: pa.RecordBatch) -> Edges:
    out = np.empty(batch.num_rows, EDGE)
    out["node"], out["other"] = batch.column("node").to_numpy(), batch.column("other").to_numpy()
    return out
