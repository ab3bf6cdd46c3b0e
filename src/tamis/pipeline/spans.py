"""Spans: neighbouring units of one file must meet exactly, or records were lost or read twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from tamis.errors import BooksError
from tamis.pipeline.manifest import Manifest
from tamis.pipeline.plan import Plan
from tamis.pipeline.shard import Shard

# A unit that begins elsewhere moves where it ends only if its last record was misread too; two rounds have sufficed
# for every file we could build, and each further one would mean a deeper nesting of WARC data inside a page.
ROUNDS = 8


def repair(plan: Plan, manifest: Manifest, redo: Callable[[list[Shard]], None]) -> None:
    """Redo units that did not begin where the unit before them ended.

    A unit that starts in the middle of a file looks for the next record by itself, and a page that holds WARC data
    can mislead it; the unit before knows better. Raises BooksError if spans still do not meet after `ROUNDS`.
    """
    for _ in range(ROUNDS):
        wrong = gaps(plan, manifest)
        if not wrong:
            return
        manifest.void([shard for pair in wrong for shard in pair])
        redo([sift for _, sift in wrong])
    raise BooksError(
        f"Units of one file do not meet: {', '.join(extract.name for extract, _ in gaps(plan, manifest)[:5])}.",
        "Set read.unit_bytes above the size of this file, so that it is read in one unit.",
    )


def gaps(plan: Plan, manifest: Manifest) -> list[tuple[Shard, Shard]]:
    """Return (extract, sift) shards that did not begin where the one before them ended, told where to begin."""
    found = []
    pairs = list(zip(plan.extract, plan.sift, strict=True))
    for (before, _), (extract, sift) in pairwise(pairs):
        if before.payload["name"] != extract.payload["name"]:
            continue
        ended, began = _fact(manifest, before, "next_offset"), _fact(manifest, extract, "first_offset")
        if ended is None or began is None or ended == began:
            continue
        payload = {**sift.payload, "start": ended, "extract": extract.fingerprint}
        found.append((extract, Shard(sift.step, sift.name, sift.fingerprint, payload)))
    return found


def _fact(manifest: Manifest, shard: Shard, name: str) -> int | None:
    receipt = manifest.get(shard)
    return receipt.facts.get(name) if receipt else None
