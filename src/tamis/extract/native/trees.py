"""Boosted trees as bit masks: each comparison is made once for 64 rows, side by side, and no branch depends on a value.

QuickScorer (Lucchese et al. 2015, SIGIR; its vectorised form 2016): every row begins with one bit for each leaf of a
tree; a comparison that fails clears the bits of the leaves to its left, and the lowest bit that is left is the leaf.
Walking the same trees from node to node, four rows at a time, takes 6 times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.text.kernel import kernel, proven_kernel

# Leaves a tree can have: the bits of a mask.
MAX_LEAVES = 32
# Rows side by side. Their masks for 60 trees stay in the first-level cache.
_ROWS = 64
# The isolated lowest bit times this has a number of its own in its five upper bits (a de Bruijn sequence).
_DE_BRUIJN = 0x077CB531


def leaf_slots() -> list[int]:
    """Return the place of each leaf's value among the MAX_LEAVES of its tree, from left to right."""
    return [((1 << leaf) * _DE_BRUIJN & 0xFFFFFFFF) >> 27 for leaf in range(MAX_LEAVES)]


# Bounds: `check_forest` has looked at every index when the model was loaded, and no page can change them; rows are
# those of `matrix`, and `raw` is as long.
@proven_kernel
def add_forest(  # long: one loop over comparisons, and one over leaves
    matrix: Any, columns: Any, starts: Any, thresholds: Any, trees: Any, masks: Any, leaves: Any, raw: Any
) -> Any:
    """Add the trees' values for all rows of `matrix` (…, features) float32 to `raw` (…,) float32.

    Comparisons `starts[i]` to `starts[i + 1]` are about feature `columns[i]`, their `thresholds` (float32) ascending:
    a value above one keeps the bits `masks` (uint32) of tree `trees` (int32). `leaves` (trees × MAX_LEAVES) float32
    are in the order of `leaf_slots`.
    """
    count = len(matrix)
    forest = len(leaves) // MAX_LEAVES
    bits = np.empty((forest, _ROWS), np.uint32)
    values = np.empty(_ROWS, np.float32)
    sums = np.empty(_ROWS, np.float32)
    for first in range(0, count, _ROWS):
        bits[:] = np.uint32(0xFFFFFFFF)
        for place in range(len(columns)):
            column = columns[place]
            for row in range(_ROWS):
                values[row] = matrix[min(first + row, count - 1), column]
            highest = values[0]
            for row in range(1, _ROWS):
                highest = max(highest, values[row])
            for node in range(starts[place], starts[place + 1]):
                threshold = thresholds[node]
                if threshold >= highest:
                    break
                mask = masks[node]
                lane = bits[trees[node]]
                for row in range(_ROWS):
                    kept = lane[row] & mask
                    lane[row] = kept if values[row] > threshold else lane[row]
        sums[:] = 0
        for tree in range(forest):
            lane = bits[tree]
            for row in range(_ROWS):
                left = np.int64(lane[row])
                slot = ((left & -left) * _DE_BRUIJN & 0xFFFFFFFF) >> 27
                sums[row] += leaves[tree * MAX_LEAVES + slot]
        for row in range(min(_ROWS, count - first)):
            raw[first + row] += sums[row]


def check_forest(columns: Any, starts: Any, thresholds: Any, trees: Any, leaf_count: int, width: int) -> bool:
    """Return whether every index of a forest exists in `leaf_count` leaves and rows of `width` features."""
    if leaf_count % MAX_LEAVES or len(starts) != len(columns) + 1 or starts[0] != 0 or starts[-1] != len(trees):
        return False
    if np.any(columns < 0) or np.any(columns >= width) or np.any(starts[1:] < starts[:-1]):
        return False
    falls = np.flatnonzero(thresholds[1:] < thresholds[:-1]) + 1
    known = np.all(trees >= 0) and np.all(trees < leaf_count // MAX_LEAVES)
    return bool(known and np.isin(falls, starts).all() and len(thresholds) == len(trees))


@kernel
def to_chances(raw: Any, chances: Any) -> Any:
    """Turn sums of leaves into probabilities."""
    for row in range(len(raw)):
        chances[row] = np.float32(1) / (np.float32(1) + np.exp(-raw[row]))
