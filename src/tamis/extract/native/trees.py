"""Boosted trees as plain arrays, evaluated block by block for one tree at a time, whose nodes stay in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.text.kernel import kernel


@kernel
def add_trees(matrix: Any, roots: Any, features: Any, thresholds: Any, children: Any, leaves: Any, raw: Any) -> Any:
    """Add the trees' values for each row of `matrix` (rows, features) float32 to `raw` (rows,) float32.

    Trees begin at `roots` (int32). A node sends values up to its `thresholds` (float32) of feature `features` (int32)
    to `children[node, 0]`, others to `children[node, 1]` (int32); a negative child is leaf `-1 - child`.
    """
    for tree in range(len(roots)):
        root = roots[tree]
        for row in range(len(matrix)):
            node = root
            while node >= 0:
                side = 0 if matrix[row, features[node]] <= thresholds[node] else 1
                node = children[node, side]
            raw[row] += leaves[-1 - node]


@kernel
def to_chances(raw: Any, chances: Any) -> Any:
    """Turn sums of leaves into probabilities."""
    for row in range(len(raw)):
        chances[row] = np.float32(1) / (np.float32(1) + np.exp(-raw[row]))
