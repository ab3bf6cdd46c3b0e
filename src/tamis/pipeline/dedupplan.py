"""The plan of deduplication: its steps, and the shards of each, known before anything is done."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tamis.dedup.options import DedupOptions, band_names
from tamis.pipeline.shard import Shard

PAIR = "pair"
CLUSTER = "cluster"
REGROUP = "regroup"
RESOLVE = "resolve"
VERDICT = "verdict"
# Only where repeated lines are cut: count them in each group of units, then say which are common.
COUNT = "count"
COMMON = "common"

EXACT = "exact"


def plan_parts(units: int) -> list[str]:
    """Return the names of the partitions candidates are resolved in: more with more input, never with more workers."""
    return [f"part-{part:03d}" for part in range(min(4096, 1 + units // 8))]


def plan_groups(units: int) -> list[str]:
    """Return the names of the groups of units whose shingles are regrouped together: about as many as units in each."""
    return [f"group-{group:03d}" for group in range(max(math.isqrt(units), 1))]


def plan_shards(
    units: Sequence[str], options: DedupOptions, parts: Sequence[str] = (), groups: Sequence[str] = ()
) -> dict[str, list[Shard]]:
    """Return the shards of every dedup step, in order, without fingerprints."""
    bands = {f"band-{band:02d}": band for band in range(len(band_names(options)))}
    payload: dict[str, list[str]] = {
        "units": list(units),
        "bands": list(bands),
        "parts": list(parts) or plan_parts(len(units)),
        "groups": list(groups) or plan_groups(len(units)),
    }
    # A shard is told what it needs and no more: there are thousands of some steps.
    steps = {
        CLUSTER: (["all"], ("units", "bands", "parts", "groups")),
        REGROUP: (payload["groups"], ("units",)),
        RESOLVE: (payload["parts"], ("parts", "groups")),
        VERDICT: (["all"], ("units", "parts")),
    }
    if options.lines is not None:
        steps[COUNT] = (payload["groups"], ("units", "groups"))
        steps[COMMON] = (["all"], ("groups",))
    pair = [
        Shard(PAIR, name, "", {"band": band, "units": payload["units"]})
        for name, band in {EXACT: None, **bands}.items()
    ]
    rest = {
        step: [Shard(step, name, "", {key: payload[key] for key in keys}) for name in names]
        for step, (names, keys) in steps.items()
    }
    return {PAIR: pair, **rest}
