"""Scorers: one interface to every model that scores documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import pyarrow as pa

from tamis.scoring.found import Found, inspect
from tamis.scoring.options import ScoringOptions
from tamis.scoring.scored import Scored


class Scorer(Protocol):
    """A model that scores texts. `higher_is_better` says which end of its scores is the good one."""

    higher_is_better: bool

    def stream(self, batches: Iterable[pa.LargeStringArray]) -> Iterator[Scored]:
        """Yield the scores of each batch of texts, in order; what stands beside a text does not change its score
        beyond rounding."""
        ...


def load(options: ScoringOptions, device: str = "cpu") -> Scorer:
    """Return a scorer on a device ("cpu", "cuda:0"). Raises ModelError, ConfigError or MissingExtraError."""
    found = inspect(options)
    if found.kind == "fasttext":
        from tamis.scoring.fasttext_quality import FastTextScorer

        return FastTextScorer(found.path, label=options.label)
    from tamis.scoring.engine import Engine

    return Engine(_net(found, options, device), options, device)


def _net(found: Found, options: ScoringOptions, device: str) -> Any:
    from tamis.scoring import causal, classifier, embedding

    maker = {"classifier": classifier.load, "embedding": embedding.load, "causal": causal.load}[found.kind]
    return maker(found.path, options, device)
