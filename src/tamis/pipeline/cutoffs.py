"""Cutoffs: the score at which a language's worst documents end, from the exact distribution of the run's own scores.

A model's scores mean different things in different languages (one English classifier gives German prose less than
English adverts), so that a bound is by default a percentile of the language's own documents: a constant added to all
scores of a language changes none of its verdicts. Scores are rounded, so that a language has some ten thousand
different ones at most and its distribution is counted exactly, whatever the number of documents and their order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.bounds import PerLanguage
from tamis.scoring.options import ScoringOptions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PERCENTS = (0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100)
BINS = 20

# One row per language: the calibration table, which is also what documents are judged by.
CUTOFFS = pa.schema(
    [
        pa.field("language", pa.large_string(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("unscored", pa.int64(), nullable=False),
        pa.field("kept", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("cutoff", pa.float64()),  # the worst score that stays; null where all stay, infinite where none does
        pa.field("mean", pa.float64()),
        *(pa.field(f"p{percent}", pa.float64()) for percent in PERCENTS),
        pa.field("edges", pa.list_(pa.float64()), nullable=False),  # of the histogram's bins, the same in all languages
        pa.field("histogram", pa.list_(pa.int64()), nullable=False),
    ]
)


@dataclass(slots=True)
class Distribution:
    """How often each score of a language was given, exactly."""

    values: Floats = field(default_factory=lambda: np.zeros(0))
    counts: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    unscored: int = 0
    tokens: int = 0

    def add(self, scores: Floats, tokens: int) -> None:
        """Add scores; NaN counts as unscored."""
        known = scores[~np.isnan(scores)]
        self.unscored += len(scores) - len(known)
        self.tokens += tokens
        values, counts = np.unique(known, return_counts=True)
        merged, place = np.unique(np.concatenate([self.values, values]), return_inverse=True)
        self.counts = np.bincount(place, np.concatenate([self.counts, counts]), len(merged)).astype(np.int64)
        self.values = merged

    @property
    def documents(self) -> int:
        """How many documents have a score."""
        return int(self.counts.sum())

    def at(self, rank: int) -> float:
        """Return the score of this rank from below, counted from 1."""
        return float(self.values[np.searchsorted(np.cumsum(self.counts), rank)])

    def percentile(self, percent: float) -> float:
        """Return the least score that at least `percent` of the documents do not exceed."""
        return self.at(max(1, math.ceil(percent / 100 * self.documents)))


def gather(batches: Iterable[pa.RecordBatch]) -> dict[str, Distribution]:
    """Return the distributions by language of batches with `language`, `score` and `tokens`."""
    found: dict[str, Distribution] = {}
    for batch in batches:
        languages = batch.column("language")
        for code in languages.unique().to_pylist():
            mine = batch.filter(pc.equal(languages, code))
            scores = mine.column("score").cast(pa.float64()).to_numpy(zero_copy_only=False)
            found.setdefault(code, Distribution()).add(scores, pc.sum(mine.column("tokens")).as_py() or 0)
    return found


def cutoff(found: Distribution, language: str, options: ScoringOptions, higher: bool) -> float | None:
    """Return the worst score that stays; None where every document does. Equal scores share their verdict.

    Of n documents the best ⌈n · keep_percent⌉ stay, and those as good as the last of them.
    """
    if options.cutoff is not None:
        bound = options.cutoff
        return bound.of(language) if isinstance(bound, PerLanguage) else float(bound)
    if options.keep_percent is None or not found.documents:
        return None
    percent = options.keep_percent
    share = (percent.of(language) if isinstance(percent, PerLanguage) else float(percent)) / 100
    if math.isnan(share):
        return None
    # A share such as 0.07 of 100 is 7.000000000000001 in binary, and must not keep an eighth.
    best = math.ceil(round(share * found.documents, 6))
    if best == 0:
        return math.inf if higher else -math.inf
    return found.at(found.documents - best + 1) if higher else found.at(best)


def table(found: Mapping[str, Distribution], options: ScoringOptions, higher: bool) -> pa.Table:
    """Return the calibration table of a run, languages in sorted order."""
    scored = [each for each in found.values() if each.documents]
    low = min((float(each.values[0]) for each in scored), default=0.0)
    high = max((float(each.values[-1]) for each in scored), default=1.0)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    rows = [
        _row(code, found[code], cutoff(found[code], code, options, higher), higher, edges) for code in sorted(found)
    ]
    return pa.Table.from_pylist(rows, schema=CUTOFFS)


def _row(code: str, found: Distribution, bound: float | None, higher: bool, edges: Floats) -> dict[str, Any]:
    stays = np.ones(len(found.values), np.bool_)
    if bound is not None:
        stays = found.values >= bound if higher else found.values <= bound
    counted = found.documents > 0
    row: dict[str, Any] = {
        "language": code,
        "documents": found.documents,
        "unscored": found.unscored,
        "kept": int(found.counts[stays].sum()) + (found.unscored if bound is None else 0),
        "tokens": found.tokens,
        "cutoff": bound,
        "mean": round(float(found.values @ found.counts) / found.documents, 4) if counted else None,
        "edges": [round(float(edge), 4) for edge in edges],
        "histogram": np.histogram(found.values, edges, weights=found.counts)[0].astype(np.int64).tolist(),
    }
    return row | {f"p{percent}": found.percentile(percent) if counted else None for percent in PERCENTS}
