"""Reference distributions: where a score stands among those of held-out text as long, and which bucket that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.errors import unknown

Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

HEAD, MIDDLE, TAIL, ALL = "head", "middle", "tail", "all"
# CCNet's cut points, in percent (arXiv 1911.00359, section 4.2).
CUTS = (30.0, 60.0)
PERCENTS = np.linspace(0.0, 100.0, 201)

# What can be held against a distribution: CCNet's perplexity; bits by bytes, which other languages raise most; bits by
# pieces, which words out of order raise most; and the worse of these two places, held against its own distribution.
CCNET, BYTES, PIECES, COMBINED = "ccnet", "bits_per_byte", "bits_per_piece", "combined"
VARIANTS = (COMBINED, BYTES, PIECES, CCNET)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of documents, shape (n,), float64, NaN where a document is null or has too few tokens.

    `perplexity` is CCNet's, 10^(−Σ log10 p / Σ (pieces + 1)) over all lines. The other two are of the lines that are
    not blank, and charge 17 bits for every character that no piece covers: bits by the document's UTF-8 bytes,
    and by its pieces, one more for each line. `tokens` counts pieces.
    """

    perplexity: Doubles
    bits_per_byte: Doubles
    bits_per_piece: Doubles
    tokens: Longs


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Scores of reference documents: `values[b, k]` is the `percents[k]`-th percentile of documents of about
    `tokens[b]` pieces; all three ascend, the values along k. Short documents vary more than long ones, so each length
    is held against its own."""

    tokens: Doubles
    percents: Doubles
    values: Doubles

    def percentile(self, scores: Doubles, tokens: Longs) -> Doubles:
        """Return where scores of documents of so many pieces stand, in [0, 100].

        Between two known points, of lengths and of scores, in proportion to the logarithm. NaN stays NaN; a score
        outside of the reference is 0 or 100; lengths outside of it are held against the nearest.
        """
        known = np.log(self.tokens)
        lengths = np.clip(np.log(np.maximum(tokens, 1)), known[0], known[-1])
        places = np.zeros(len(scores))
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.log(scores)
        for band in range(len(known)):
            # How near each length is to this band: 1 at it, 0 at its neighbours.
            share = np.interp(lengths, known, np.arange(len(known)) == band) if len(known) > 1 else np.ones(len(scores))
            here = share > 0
            places[here] += share[here] * np.interp(logs[here], np.log(self.values[band]), self.percents)
        return np.where(np.isnan(scores), np.nan, places)


def place(scores: Scores, references: Mapping[str, Reference], variant: str = COMBINED) -> Doubles:
    """Return where scores stand, in [0, 100], by a variant of which there is a reference; NaN stays NaN.

    Raises ConfigError where there is none: CCNet's models have one of CCNet's perplexity alone.
    """
    if variant not in references:
        raise unknown("perplexity variant", variant, references)
    if variant == COMBINED:
        worse = np.maximum(*(place(scores, references, each) for each in (BYTES, PIECES)))
        return references[COMBINED].percentile(worse, scores.tokens)
    found = scores.perplexity if variant == CCNET else getattr(scores, variant)
    return references[variant].percentile(found, scores.tokens)


def percentiles(scores: Doubles, weights: Doubles) -> Doubles:
    """Return the scores at PERCENTS of weighted documents, ascending."""
    order = np.argsort(scores, kind="stable")
    mass = np.cumsum(weights[order]) - weights[order] / 2
    values = np.interp(PERCENTS, 100 * mass / weights.sum(), scores[order])
    return np.maximum.accumulate(np.maximum(values, 1e-9))


def buckets(percentiles: Doubles, cuts: Sequence[float] = CUTS) -> list[str | None]:
    """Return head, middle or tail for each percentile, None for NaN; a cut belongs to the worse side, as in CCNet."""
    names: list[str | None] = [HEAD, MIDDLE, TAIL]
    places = np.searchsorted(np.asarray(cuts), percentiles, side="right")
    return [None if missing else names[place] for place, missing in zip(places, np.isnan(percentiles), strict=True)]
