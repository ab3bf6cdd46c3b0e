"""Rehydration: how often to repeat a kept document whose copies were removed (after Penedo et al. 2025, FineWeb2, arXiv
2506.20920).

Copies say something about quality: what is copied some is often better than what is copied never or always. The share
of documents that filters remove, by cluster size, tells where a language has its better pages: sizes of which the
filters remove as much as of all, or more, count once, those of which they remove least ten times, and those between in
proportion. We differ in the classes of sizes, and in asking for enough documents before a class counts more than once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Cluster sizes are looked at in these classes (their least sizes): single sizes are rare among large clusters.
CLASSES = (1, 2, 3, 4, 5, 6, 8, 11, 21, 51, 101, 1001)
GREATEST = 10
# Classes of fewer documents say nothing reliable and count once.
FEWEST = 100


def rehydration_weights(
    sizes: npt.NDArray[np.int64], passed: npt.NDArray[np.bool_], *, greatest: int = GREATEST, fewest: int = FEWEST
) -> dict[int, int]:
    """Return the weight (1 to `greatest`) of each class of cluster sizes, by the least size of the class.

    `sizes` are the cluster sizes of one language's kept documents, 1 for those without copies, and `passed` whether
    each passed the filters; both shape (n,). A document of cluster size s has the weight of the greatest key at most s.
    """
    classes = np.searchsorted(CLASSES, sizes, side="right") - 1
    documents = np.bincount(classes, minlength=len(CLASSES))
    removed = np.bincount(classes, weights=~passed, minlength=len(CLASSES))
    told = documents >= fewest
    if not told.any():
        return dict.fromkeys(CLASSES, 1)
    rates = removed / np.maximum(documents, 1)
    overall = removed.sum() / documents.sum()
    gain = np.where(told, np.maximum(overall - rates, 0.0), 0.0)
    weights = 1 + np.floor((greatest - 1) * gain / gain.max() + 0.5) if gain.max() > 0 else np.ones(len(CLASSES))
    return {least: int(weight) for least, weight in zip(CLASSES, weights, strict=True)}


def weights_of(sizes: npt.NDArray[np.int64], weights: dict[int, int]) -> npt.NDArray[np.int64]:
    """Return each document's weight, shape (n,), int64."""
    table = np.array([weights[least] for least in CLASSES], np.int64)
    found: npt.NDArray[np.int64] = table[np.searchsorted(CLASSES, sizes, side="right") - 1]
    return found
