"""Rules: what is kept. A rule compares one signal with a bound; the bound is data, per language where it must be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import bounds
from tamis.bounds import Bound
from tamis.columns import column as column_of
from tamis.filters import registry
from tamis.filters.signal import Signal, signal

if TYPE_CHECKING:
    from tamis.filters.docs import Docs

OPEN = math.nan


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule's verdict on each row, shape (rows,): whether it passed, what was measured, the bound it missed or NaN."""

    passed: npt.NDArray[np.bool_]
    value: npt.NDArray[np.float64]
    threshold: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rule:
    """Keep documents whose `signal` lies in [`at_least`, `at_most`], both ends included.

    A NaN bound binds nothing; a value that is NaN or null misses every bound there is. `origin` says where the
    numbers come from, `family` which chain they belong to. `languages` are those whose text the rule can judge, where
    its definition knows no others; empty for all.
    """

    signal: Signal
    at_least: Bound = OPEN
    at_most: Bound = OPEN
    origin: str = "given"
    family: str = ""
    languages: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The reason a document dropped by this rule is given: the signal's name."""
        return self.signal.name

    def judge(self, docs: Docs) -> Judged:
        """Return the verdict on every row of the batch under judgement."""
        values = docs.measure(self.signal)
        value = values.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        languages = column_of(docs.batch, "language")
        low = bounds.resolve(self.at_least, languages, len(value))
        high = bounds.resolve(self.at_most, languages, len(value))
        # Written as "not inside" so that NaN, which compares false with everything, misses.
        missed_low = ~np.isnan(low) & ~(value >= low)
        missed_high = ~np.isnan(high) & ~(value <= high)
        threshold = np.where(missed_low, low, np.where(missed_high, high, np.nan))
        return Judged(~(missed_low | missed_high), value, threshold)


def keep(
    what: Signal | str | Callable[..., Any],
    *,
    at_least: Bound | None = None,
    at_most: Bound | None = None,
    origin: str = "given",
) -> Rule:
    """Return the rule that keeps documents whose `what` lies in [`at_least`, `at_most`].

    `what` is a signal, the name of a registered one, or a function that `signal` can make one of.
    Raises `UnknownNameError` on an unregistered name.
    """
    measured = registry.find_signal(what) if isinstance(what, str) else signal(what)
    return Rule(measured, _bound(at_least), _bound(at_most), origin)


def _bound(bound: Bound | None) -> Bound:
    if bound is None:
        return OPEN
    return bound if isinstance(bound, bounds.PerLanguage) else float(bound)
