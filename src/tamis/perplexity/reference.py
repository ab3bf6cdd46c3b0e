"""Reference distributions: where a score stands among those of held-out text, and which bucket that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

HEAD, MIDDLE, TAIL, ALL = "head", "middle", "tail", "all"
# CCNet's cut points, in percent (arXiv 1911.00359, section 4.2).
CUTS = (30.0, 60.0)


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Scores of reference documents: `values[k]` is the `percents[k]`-th percentile, both ascending."""

    percents: Doubles
    values: Doubles

    def percentile(self, scores: Doubles) -> Doubles:
        """Return where scores stand, in [0, 100], between two known points in proportion to the logarithm.

        NaN stays NaN. A score outside of the reference is 0 or 100.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            places = np.interp(np.log(scores), np.log(self.values), self.percents)
        return np.where(np.isnan(scores), np.nan, places)


def reference(scores: Doubles) -> Reference:
    """Return the distribution of scores, NaN left out, at every half percent."""
    known = scores[np.isfinite(scores)]
    percents = np.linspace(0.0, 100.0, 201)
    values = np.percentile(known, percents) if len(known) else np.ones(201)
    return Reference(percents, np.maximum.accumulate(np.maximum(values, 1e-9)))


def buckets(percentiles: Doubles, cuts: Sequence[float] = CUTS) -> list[str | None]:
    """Return head, middle or tail for each percentile, None for NaN; a cut belongs to the worse side, as in CCNet."""
    names: list[str | None] = [HEAD, MIDDLE, TAIL]
    places = np.searchsorted(np.asarray(cuts), percentiles, side="right")
    return [None if missing else names[place] for place, missing in zip(places, np.isnan(percentiles), strict=True)]
