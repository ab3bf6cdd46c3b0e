"""Features of the second stage: what the first says of a block's neighbours, of its path and of the elements around.

They come after the first stage's features in the same row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import containers as c
from tamis.extract.native import layout
from tamis.text.kernel import kernel

SECOND_FEATURES = 16
_NEAR = (-3, -2, -1, 1, 2, 3)


@kernel
def means_by_element(elements: Any, blocks: Any, weights: Any, chances: Any, sums: Any) -> Any:
    """Add up chance × weight and weight of the text inside each element into `sums` (elements, 2), zeros before."""
    for block in range(len(blocks)):
        row = blocks[block, layout.ELEMENT]
        sums[row, 0] += chances[block] * weights[block]
        sums[row, 1] += weights[block]
    for row in range(len(elements) - 1, 0, -1):
        above = elements[row, layout.PARENT]
        sums[above, 0] += sums[row, 0]
        sums[above, 1] += sums[row, 1]


@kernel
def smooth(  # long: one table
    elements: Any,
    blocks: Any,
    shares: Any,
    weights: Any,
    chances: Any,
    matrix: Any,
    at: Any,
) -> Any:
    """Write the second stage's features of all blocks into `matrix[:, at : at + SECOND_FEATURES]`."""
    count = len(blocks)
    sums = np.zeros((len(elements), 2), np.float32)
    means_by_element(elements, blocks, weights, chances, sums)
    paths = np.zeros((count + 1, 2), np.float32)
    running = np.zeros((count + 1, 2), np.float32)
    highest = np.float32(0)
    for block in range(count):
        path = np.int64(shares[block, c.PATH])
        paths[path, 0] += chances[block] * weights[block]
        paths[path, 1] += weights[block]
        running[block + 1, 0] = running[block, 0] + chances[block] * weights[block]
        running[block + 1, 1] = running[block, 1] + weights[block]
        highest = max(highest, chances[block])
    page = running[count, 0] / max(running[count, 1], np.float32(1e-6))
    for block in range(count):
        row = matrix[block]
        row[at] = chances[block]
        for step in range(len(_NEAR)):
            other = block + _NEAR[step]
            row[at + 1 + step] = chances[other] if 0 <= other < count else np.float32(-1)
        path = np.int64(shares[block, c.PATH])
        row[at + 7] = paths[path, 0] / max(paths[path, 1], np.float32(1e-6))
        level = elements[blocks[block, layout.ELEMENT], layout.BLOCK]
        for step in range(3):
            if level > 0:
                level = elements[elements[level, layout.PARENT], layout.BLOCK]
            row[at + 8 + step] = sums[level, 0] / max(sums[level, 1], np.float32(1e-6))
        row[at + 11] = page
        row[at + 12] = running[block, 0] / max(running[block, 1], np.float32(1e-6))
        rest = running[count, 1] - running[block + 1, 1]
        row[at + 13] = (running[count, 0] - running[block + 1, 0]) / max(rest, np.float32(1e-6))
        low = max(block - 8, 0)
        high = min(block + 9, count)
        around = running[high, 1] - running[low, 1]
        row[at + 14] = (running[high, 0] - running[low, 0]) / max(around, np.float32(1e-6))
        row[at + 15] = highest
