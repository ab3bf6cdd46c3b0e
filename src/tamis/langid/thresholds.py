"""Score thresholds per language, derived from the scores themselves.

Penedo et al. 2025 (FineWeb-2, arXiv:2506.20920, section 3.2) cut each language at clip(median − std, lo, hi) of its
scores. Ours are taken from histograms, which add up in any order, so that every run and worker count agrees. The other
way, `by_purity`, corrects the model's probabilities for how common languages really are (Saerens, Latinne and
Decaestecker 2002, "Adjusting the outputs of a classifier to new a priori probabilities") and cuts where enough is pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.bounds import PerLanguage

BINS = 1000
LOW, HIGH = 0.3, 0.9
# A language of fewer documents has no distribution to speak of, and gets `LOW`.
FEWEST = 30

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One language's threshold and what it comes from; `contamination` is NaN where it was not estimated."""

    language: str
    documents: int
    median: float
    std: float
    threshold: float
    contamination: float


def histograms(identified: pa.StructArray) -> dict[str, Counts]:
    """Return, for each language, how many documents scored in each of `BINS` equal bins of [0, 1]."""
    said = identified.field("language").to_numpy(zero_copy_only=False)
    bins = np.minimum((identified.field("score").to_numpy().astype(np.float64) * BINS).astype(np.int64), BINS - 1)
    return {str(code): np.bincount(bins[said == code], minlength=BINS) for code in np.unique(said.astype(str))}


def merged(parts: Iterable[Mapping[str, Counts]]) -> dict[str, Counts]:
    """Return the sum of several workers' histograms."""
    total: dict[str, Counts] = {}
    for part in parts:
        for code, counts in part.items():
            total[code] = total.get(code, np.zeros(BINS, np.int64)) + counts
    return total


def by_spread(counts: Mapping[str, Counts], *, low: float = LOW, high: float = HIGH) -> list[Threshold]:
    """Return clip(median − std, low, high) for each language, in order of code."""
    middles = (np.arange(BINS) + 0.5) / BINS
    found = []
    for code in sorted(counts):
        documents = int(counts[code].sum())
        if documents == 0:
            continue
        median = float(middles[np.searchsorted(np.cumsum(counts[code]), (documents + 1) // 2)])
        mean = float((counts[code] * middles).sum() / documents)
        std = float(np.sqrt((counts[code] * (middles - mean) ** 2).sum() / documents))
        cut = min(max(median - std, low), high) if documents >= FEWEST else low
        found.append(Threshold(code, documents, round(median, 4), round(std, 4), round(cut, 4), float("nan")))
    return found


def by_purity(identified: pa.StructArray, *, purity: float = 0.95, rounds: int = 50) -> list[Threshold]:
    """Return, for each language, the lowest score above which its documents are pure enough, and its contamination.

    `contamination` is the estimated share of a language's documents, without any threshold, that are in its rival
    language. Priors are fitted to the stream by expectation maximization, over each document's two best languages.
    """
    first = identified.field("language").to_numpy(zero_copy_only=False).astype(str)
    rival = np.array([code or "" for code in identified.field("rival").to_pylist()], dtype=str)
    chance = identified.field("score").to_numpy().astype(np.float64)
    other = identified.field("rival_score").to_numpy().astype(np.float64)
    sure = _corrected(first, rival, chance, other, rounds)
    found = []
    for code in np.unique(first):
        chosen = first == code
        order = np.argsort(-chance[chosen], kind="stable")
        scores, right = chance[chosen][order], sure[chosen][order]
        pure = np.cumsum(right) / np.arange(1, len(right) + 1) >= purity
        kept = int(np.flatnonzero(pure)[-1]) if pure.any() else 0
        cut = float(scores[kept]) if pure.any() else 1.0
        median, std = float(np.median(scores)), float(np.std(scores))
        share = 1 - float(right.mean())
        found.append(Threshold(str(code), len(scores), round(median, 4), round(std, 4), round(cut, 4), round(share, 4)))
    return found


def as_bound(thresholds: Iterable[Threshold], default: float = LOW) -> PerLanguage:
    """Return thresholds as the bound a recipe takes."""
    return PerLanguage(default, {row.language: row.threshold for row in thresholds})


def _corrected(
    first: npt.NDArray[np.str_],
    rival: npt.NDArray[np.str_],
    chance: npt.NDArray[np.float64],
    other: npt.NDArray[np.float64],
    rounds: int,
) -> npt.NDArray[np.float64]:
    """The probability that each document is in its first language, once priors are those of the stream."""
    names, place = np.unique(np.concatenate([first, rival]), return_inverse=True)
    one, two = place[: len(first)], place[len(first) :]
    order = np.lexsort((other, chance, two, one))
    prior = np.full(len(names), 1 / len(names))
    sure = np.ones(len(first))
    for _ in range(rounds):
        weight = chance * prior[one]
        sure = weight / np.maximum(weight + other * prior[two], 1e-12)
        # Sums run in an order of their own, so that the order of documents changes no bit of the result.
        prior = np.bincount(one[order], sure[order], len(names)) + np.bincount(two[order], 1 - sure[order], len(names))
        prior = np.maximum(prior / len(first), 1e-9)
    return sure
