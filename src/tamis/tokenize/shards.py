"""Which documents go into which shard, from token counts alone: the same for any number of workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ShardSpan:
    """One shard: the documents whose first token lies in [start, end), tokens counted through all units in order.

    Those documents are in units `first_unit` to `last_unit`, both included. In the first of them, documents starting
    before `skip` tokens of that unit belong to the shard before; in the last, those starting at or after `stop` to the
    shard after. A document longer than a shard leaves the shards it covers empty.
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

    def rows(self, unit: int, tokens: Sequence[int] | npt.NDArray[np.int64]) -> tuple[int, int]:
        """Return the [first, last) documents of `unit` that belong here; `tokens` are all its documents' counts.

        Over all shards each document, one of no tokens too, is named exactly once.
        """
        if not self.first_unit <= unit <= self.last_unit:
            return 0, 0
        ends = np.cumsum(np.asarray(tokens, np.int64))
        starts = ends - np.asarray(tokens, np.int64)
        first = int(np.searchsorted(starts, self.skip)) if unit == self.first_unit and self.skip else 0
        cut = unit == self.last_unit and len(ends) and self.stop < ends[-1]
        return first, int(np.searchsorted(starts, self.stop)) if cut else len(ends)


def plan_shards(unit_tokens: Sequence[int], shard_tokens: int) -> list[ShardSpan]:
    """Return the shards of units that hold so many tokens each, in manifest order; none for no units.

    A document never crosses a shard, so a shard is off by at most the documents at its two ends; the last takes what
    is left. Units without tokens belong to a shard too, for their documents are still documents.
    """
    if shard_tokens < 1:
        raise ConfigError(f"shard_tokens is {shard_tokens}.", "It must be at least 1; 100_000_000 is usual.")
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.asarray(unit_tokens, np.int64))])
    total = int(bounds[-1])
    count = max(1, -(-total // shard_tokens)) if len(unit_tokens) else 0
    return [_span(number, count, shard_tokens, bounds) for number in range(count)]


def _span(number: int, count: int, shard_tokens: int, bounds: npt.NDArray[np.int64]) -> ShardSpan:
    start = number * shard_tokens
    first = int(np.searchsorted(bounds, start))
    if bounds[first] != start:
        first -= 1
    if number == count - 1:
        last, end = len(bounds) - 2, int(bounds[-1])
    else:
        end = start + shard_tokens
        last = int(np.searchsorted(bounds, end)) - 1
    return ShardSpan(number, start, end, first, last, start - int(bounds[first]), end - int(bounds[last]))
