"""Score thresholds per language, derived from the scores themselves.

Penedo et al. 2025 (FineWeb-2, arXiv:2506.20920, section 3.2) cut each language at clip(median − std, lo, hi) of its
scores. Ours are taken from counts of rounded scores, which add up in any order, so that every run and worker count
agrees. The other way, `by_purity`, corrects the model's probabilities for how common languages really are (Saerens,
Latinne and Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori probabilities") and cuts where
enough is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.bounds import PerLanguage

Way = Literal["spread", "purity"]

LOW, HIGH = 0.3, 0.9
# What share of a language's documents is to be in it.
PURITY = 0.95
# A language of fewer documents has no distribution to speak of, and gets `LOW`.
FEWEST = 30

# Documents by their two best languages and the scores of both, in ten-thousandths; rows in order of the columns.
SCORES = pa.schema(
    [
        pa.field("language", pa.large_string(), nullable=False),
        pa.field("rival", pa.large_string(), nullable=False),  # empty where there is none
        pa.field("score", pa.int32(), nullable=False),
        pa.field("rival_score", pa.int32(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
    ]
)
SCALE = 10_000
_KEYS = ("language", "rival", "score", "rival_score")
_ROUNDS = 50
# A document's probability is the mean of its windows', which is less sure than all of them together may be. Of 1, 1.5,
# 2, 2.5 and 3 this power of the odds fits best what held-out documents of one to three sentences turn out to be in.
_SHARPNESS = 2.0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One language's scores: both thresholds they give, and how much of what is called this language is estimated to be
    in its rivals, without any threshold."""

    language: str
    documents: int
    median: float
    std: float
    by_spread: float
    by_purity: float
    contamination: float


def tallied(language: pa.Array, score: pa.Array, rival: pa.Array, rival_score: pa.Array) -> pa.Table:
    """Return `SCORES` of identified documents."""
    columns = {
        "language": language.cast(pa.large_string()),
        "rival": pc.fill_null(rival.cast(pa.large_string()), ""),
        "score": _rounded(score),
        "rival_score": _rounded(rival_score),
        "documents": pa.array(np.ones(len(language), np.int64)),
    }
    return merged([pa.table(columns, SCORES)])


def merged(parts: Iterable[pa.Table]) -> pa.Table:
    """Return the sum of several workers' `SCORES`, the same for any order of the parts."""
    held = SCORES.empty_table()
    for part in parts:
        together = pa.concat_tables([held, part])
        summed = together.group_by(list(_KEYS)).aggregate([("documents", "sum")])
        ordered = summed.sort_by([(key, "ascending") for key in _KEYS])
        held = ordered.rename_columns([name.removesuffix("_sum") for name in ordered.column_names])
        held = held.select(SCORES.names).cast(SCORES).combine_chunks()
    return held


def derive(scores: pa.Table, *, low: float = LOW, high: float = HIGH, purity: float = PURITY) -> list[Threshold]:
    """Return the thresholds of each language in `SCORES`, in order of code.

    `by_spread` is clip(median − std, low, high), and `low` for a language of fewer than `FEWEST` documents. `by_purity`
    is the lowest score above which the share `purity` of its documents is estimated to be in it, 1 where none is.
    """
    first = scores.column("language").to_numpy()
    score, count = scores.column("score").to_numpy() / SCALE, scores.column("documents").to_numpy()
    sure = _corrected(scores)
    found = []
    for code, rows in _slices(first):
        values, weights = score[rows], count[rows]
        median, std = _middle(values, weights)
        documents = int(weights.sum())
        spread = min(max(median - std, low), high) if documents >= FEWEST else low
        cut, share = _purest(values, weights, sure[rows], purity)
        rounded = (round(number, 4) for number in (median, std, spread, cut, share))
        found.append(Threshold(code, documents, *rounded))
    return found


def as_bound(thresholds: Iterable[Threshold], way: Way, default: float = LOW) -> PerLanguage:
    """Return thresholds as the bound a recipe takes; `default` is for languages not seen."""
    picked = {each.language: each.by_spread if way == "spread" else each.by_purity for each in thresholds}
    return PerLanguage(default, picked)


def _rounded(scores: pa.Array) -> pa.Array:
    values = pc.fill_null(scores, 0.0).to_numpy(zero_copy_only=False).astype(np.float64)
    return pa.array(np.clip(np.rint(values * SCALE), 0, SCALE).astype(np.int32))


def _slices(names: npt.NDArray[np.object_]) -> Iterator[tuple[str, slice]]:
    """Runs of equal names in a sorted column."""
    changes = (np.flatnonzero(names[1:] != names[:-1]) + 1).tolist() if len(names) else []
    for start, end in pairwise([0, *changes, len(names)] if len(names) else []):
        yield str(names[start]), slice(start, end)


def _middle(values: Floats, weights: Ints) -> tuple[float, float]:
    """Lower median and standard deviation of weighted values."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    median = float(values[order][np.searchsorted(reached, (int(reached[-1]) + 1) // 2)])
    mean = float((weights * values).sum() / reached[-1])
    return median, float(np.sqrt((weights * (values - mean) ** 2).sum() / reached[-1]))


def _purest(values: Floats, weights: Ints, sure: Floats, purity: float) -> tuple[float, float]:
    """The lowest score from which on enough is pure, and the share that is not without it."""
    grid, place = np.unique(values, return_inverse=True)
    every = np.cumsum(np.bincount(place, weights, len(grid))[::-1])[::-1]
    right = np.cumsum(np.bincount(place, weights * sure, len(grid))[::-1])[::-1]
    pure = np.flatnonzero(right / every >= purity)
    return (float(grid[pure[0]]) if len(pure) else 1.0), float(1 - right[0] / every[0])


def _corrected(scores: pa.Table) -> Floats:
    """The probability that the documents of each row are in their first language, with priors those of the stream,
    fitted by expectation maximization over each document's two best languages."""
    count = scores.column("documents").to_numpy()
    first, rival = (scores.column(name).to_numpy().astype(str) for name in ("language", "rival"))
    # A score that rounds to 0 is not nothing: a part of a unit is as near as rounding tells.
    chance, other = (np.maximum(scores.column(name).to_numpy(), 0.1) / SCALE for name in ("score", "rival_score"))
    other[rival == ""] = 0
    chance, other = (each**_SHARPNESS for each in (chance, other))
    names, place = np.unique(np.concatenate([first, rival]), return_inverse=True)
    one, two = place[: len(first)], place[len(first) :]
    prior = np.full(len(names), 1 / max(1, len(names)))
    sure = np.ones(len(first))
    for _ in range(_ROUNDS):
        weight = chance * prior[one]
        sure = weight / np.maximum(weight + other * prior[two], 1e-12)
        gained = np.bincount(one, count * sure, len(names)) + np.bincount(two, count * (1 - sure), len(names))
        prior = np.maximum(gained / max(1, int(count.sum())), 1e-9)
    return sure
