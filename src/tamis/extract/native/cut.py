"""Which blocks to keep: the likeliest, as many as maximise the expected F-score of the page.

Nan et al. 2012 (arXiv 1206.4625) show that the optimum is such a set; the ratio of expectations stands in for the
expectation of the ratio, which on real pages costs nothing measurable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.text.kernel import kernel

Floats = npt.NDArray[np.float32]

# Gold of news is tight, that of forums, shops and listings inclusive: this suits the mix. docs/extraction.md shows
# what other values give on which kind of page.
DEFAULT_RECALL = 1.0
# What is so much less likely than the likeliest block belongs to another text: teasers, comments. A page that says it
# is an article is cut closer, unless little would be left. Asked for more recall, the cut is as much milder.
_LEAST_OF_BEST, _LEAST_IN_ARTICLE, _LITTLE = 0.45, 0.65, 0.3


def keep_blocks(chances: Floats, units: Floats, recall: float, article: bool) -> tuple[npt.NDArray[np.uint8], float]:
    """Return which blocks to keep, (blocks,) uint8, and the expected F-score of the page.

    `chances` and `units` per block, float32; `recall` as in `choose`; `article` whether the page says it is one.
    """
    chosen = np.empty(len(chances), np.uint8)
    return chosen, cut(chances, units, float(recall), article, chosen)


@kernel
def cut(chances: Any, units: Any, recall: Any, article: Any, chosen: Any) -> Any:
    """Mark in `chosen` (blocks,) uint8 what to keep; return the expected F-score of the page."""
    milder = max(recall, 1.0)
    score = choose(chances, units, recall, _LEAST_OF_BEST / milder, chosen)
    if article:
        tighten(chances, units, _LEAST_IN_ARTICLE / milder, _LITTLE, chosen)
    return score


@kernel
def tighten(chances: Any, weights: Any, least: Any, little: Any, chosen: Any) -> Any:
    """Drop chosen blocks less than `least` times as likely as the likeliest, if more than `little` of them is left."""
    highest = np.float32(0)
    for block in range(len(chances)):
        highest = max(highest, chances[block])
    whole = kept = 0.0
    for block in range(len(chances)):
        if chosen[block]:
            whole += weights[block]
            kept += weights[block] * (chances[block] >= least * highest)
    if kept >= little * whole:
        for block in range(len(chances)):
            if chances[block] < least * highest:
                chosen[block] = 0


@kernel
def choose(chances: Any, weights: Any, recall: Any, least: Any, chosen: Any) -> Any:
    """Mark in `chosen` (blocks,) uint8 the blocks to keep; return the expected F-score of the page.

    `chances` (float32) that a block is main content, `weights` (float32) its units. `recall` is the beta of the
    F-score: recall counts `recall` times as much as precision. 1 weighs them alike, 0.5 keeps less, 2 keeps more. Of
    the best set, blocks stay that are at least `least` times as likely as the likeliest of the page.

    The best set are the blocks that raise the score: those likelier than it divided by 1 + recall². Dinkelbach (1967):
    beginning with all blocks, take those that beat the last score until the score no longer grows; few rounds do.
    """
    square = recall * recall
    whole = 0.0
    highest = np.float32(0)
    for block in range(len(chances)):
        whole += np.float64(chances[block]) * weights[block]
        highest = max(highest, chances[block])
    score = -1.0
    better = 0.0
    while better > score:
        score = better
        got = taken = 0.0
        for block in range(len(chances)):
            if (1.0 + square) * chances[block] > score:
                got += np.float64(chances[block]) * weights[block]
                taken += weights[block]
        better = (1.0 + square) * got / max(taken + square * whole, 1e-9)
    for block in range(len(chances)):
        likely = (1.0 + square) * chances[block] > score and chances[block] >= least * highest
        chosen[block] = likely and score > 0
    return score
