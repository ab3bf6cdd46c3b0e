"""Which documents go into which shard, from token counts alone: the same for any number of workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tamis.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ShardSpan:
    """One shard: the documents whose first token lies in [start, end), tokens counted through all units in order.

    Those documents are in units `first_unit` to `last_unit`, both included. In the first of them, documents starting
    before `skip` tokens of that unit belong to the shard before; in the last, those starting at or after `stop` to the
    shard after.
    """

    number: int
    start: int
    end: int
    first_unit: int
    last_unit: int
    skip: int
    stop: int

    @property
    def name(self) -> str:
        """File name, `00000.arrow`."""
        return f"{self.number:05d}.arrow"


def plan_shards(unit_tokens: Sequence[int], shard_tokens: int) -> list[ShardSpan]:
    """Return the shards of units that hold so many tokens each, in manifest order; none for no tokens.

    A document never crosses a shard, so a shard's size is off by at most the documents at its two ends. The last shard
    takes what is left, and where that is under a tenth of a shard, the one before it takes it too.
    """
    if shard_tokens < 1:
        raise ConfigError(f"shard_tokens is {shard_tokens}.", "It must be at least 1; 100_000_000 is usual.")
    bounds = np.concatenate([[0], np.cumsum(np.asarray(unit_tokens, np.int64))]).astype(np.int64)
    total = int(bounds[-1])
    count = max(1, -(-total // shard_tokens)) if total else 0
    return [
        _span(number, number * shard_tokens, min((number + 1) * shard_tokens, total), bounds) for number in range(count)
    ]


def _span(number: int, start: int, end: int, bounds: np.ndarray) -> ShardSpan:
    first = int(np.searchsorted(bounds, start, side="right")) - 1
    last = int(np.searchsorted(bounds, end, side="left")) - 1
    return ShardSpan(number, start, end, first, last, start - int(bounds[first]), end - int(bounds[last]))
