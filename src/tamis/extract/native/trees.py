"""Boosted trees as plain arrays, evaluated four rows at a time, so that one waits for memory while others compare.

Bounds are not checked here: `check_trees` has looked at every index when the model was loaded, and no page can change
them. Checked, and one row at a time, the same trees take 1.7 times as long.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from tamis.text.kernel import kernel

# So many rows of features stay in the cache while all trees pass over them.
_ROWS = 64


@numba.njit(nogil=True, inline="always")
def _descend(matrix: Any, row: Any, node: Any, features: Any, thresholds: Any, children: Any) -> Any:
    return children[node, 0 if matrix[row, features[node]] <= thresholds[node] else 1]


@numba.njit(nogil=True, cache=True)
def add_trees(  # long: one loop, unrolled by hand
    matrix: Any, rows: Any, roots: Any, features: Any, thresholds: Any, children: Any, leaves: Any, raw: Any
) -> Any:
    """Add the trees' values for the `rows` (int64) of `matrix` (…, features) float32 to `raw` (…,) float32.

    Trees begin at `roots` (int32). A node sends values up to its `thresholds` (float32) of feature `features` (int32)
    to `children[node, 0]`, others to `children[node, 1]` (int32); a negative child is leaf `-1 - child`.
    """
    for start in range(0, len(rows), _ROWS):
        stop = min(start + _ROWS, len(rows))
        for tree in range(len(roots)):
            root = roots[tree]
            at = start
            while at + 4 <= stop:
                i, j, k, m = rows[at], rows[at + 1], rows[at + 2], rows[at + 3]
                a = b = c = d = root
                while a >= 0 and b >= 0 and c >= 0 and d >= 0:
                    a = _descend(matrix, i, a, features, thresholds, children)
                    b = _descend(matrix, j, b, features, thresholds, children)
                    c = _descend(matrix, k, c, features, thresholds, children)
                    d = _descend(matrix, m, d, features, thresholds, children)
                while a >= 0:
                    a = _descend(matrix, i, a, features, thresholds, children)
                while b >= 0:
                    b = _descend(matrix, j, b, features, thresholds, children)
                while c >= 0:
                    c = _descend(matrix, k, c, features, thresholds, children)
                while d >= 0:
                    d = _descend(matrix, m, d, features, thresholds, children)
                raw[i] += leaves[-1 - a]
                raw[j] += leaves[-1 - b]
                raw[k] += leaves[-1 - c]
                raw[m] += leaves[-1 - d]
                at += 4
            while at < stop:
                node = root
                while node >= 0:
                    node = _descend(matrix, rows[at], node, features, thresholds, children)
                raw[rows[at]] += leaves[-1 - node]
                at += 1


@kernel
def check_trees(roots: Any, features: Any, children: Any, leaf_count: Any, columns: Any) -> Any:
    """Return whether every index of the trees exists, and every child comes after its parent, so that walks end."""
    nodes = len(features)
    for tree in range(len(roots)):
        if roots[tree] >= nodes or -1 - roots[tree] >= leaf_count:
            return False
    for node in range(nodes):
        if not 0 <= features[node] < columns:
            return False
        for side in range(2):
            child = children[node, side]
            if (0 <= child <= node) or child >= nodes or -1 - child >= leaf_count:
                return False
    return True


@kernel
def to_chances(raw: Any, chances: Any) -> Any:
    """Turn sums of leaves into probabilities."""
    for row in range(len(raw)):
        chances[row] = np.float32(1) / (np.float32(1) + np.exp(-raw[row]))
