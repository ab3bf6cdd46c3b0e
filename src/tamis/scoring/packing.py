"""Packing: which windows go to the model together, within a budget of tokens and with no padding, or little.

Packed, windows stand one after the other and a batch costs the tokens it has. Padded, every window costs as much as
the longest of its batch, so windows are batched by length. Which windows share a batch depends on the input alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A batch: the windows it has, by number, shape (n,), int64, and the tokens it costs, padding included."""

    rows: Ints
    cost: int

    def halves(self, lengths: Ints, packed: bool) -> tuple[Plan, Plan]:
        """Return the batch as two, for a device that cannot hold it. Raises ValueError for a batch of one window."""
        if len(self.rows) < 2:
            raise ValueError("one window cannot be halved")
        ends = np.cumsum(lengths[self.rows])
        middle = int(np.searchsorted(ends, ends[-1] / 2, side="left")) + 1
        middle = min(max(middle, 1), len(self.rows) - 1)
        first, second = (_plan(rows, lengths, packed) for rows in (self.rows[:middle], self.rows[middle:]))
        return first, second


def _plan(rows: Ints, lengths: Ints, packed: bool) -> Plan:
    mine = lengths[rows]
    return Plan(rows, int(mine.sum()) if packed else int(mine.max()) * len(rows))


def plan(lengths: Ints, budget: int, *, packed: bool) -> Iterator[Plan]:
    """Yield batches of windows of `lengths` tokens that cost at most `budget`; a longer window has its own.

    Longest first, so that what does not fit is found at once, and windows of like length share a batch. Every window
    is in one batch.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        if packed:
            ends = np.cumsum(lengths[order[start : start + budget]])
            taken = int(np.searchsorted(ends, budget, side="right"))
        else:
            taken = int(budget // max(1, lengths[order[start]]))
        rows = order[start : start + max(1, taken)]
        yield _plan(rows, lengths, packed)
        start += len(rows)
