"""Qualities: what a model's scores are like in each language, and where the language's cutoff lies, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tamis.budget.markup import Quantity, table

_BARS = " ▁▂▃▄▅▆▇█"
_PERCENTS = ("p5", "p25", "p50", "p75", "p95")


def section(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of a run's calibration, rows of `scores.parquet`; "" where nothing was scored.

    Histograms have the same bins in every language, from the run's lowest score to its highest, so that a language
    whose scores are shifted is seen to be.
    """
    if not rows:
        return ""
    columns = ["Language", "Scored", "Without a score", "Kept", "Share kept", "Cutoff", "Mean"]
    columns += ["5 %", "25 %", "Median", "75 %", "95 %", "Scores, lowest to highest"]
    found = [
        [
            row["language"],
            row["documents"],
            row["unscored"],
            row["kept"],
            _share(row),
            *(_number(row[name]) for name in ("cutoff", "mean", *_PERCENTS)),
            bars(row["histogram"]),
        ]
        for row in rows
    ]
    return table("qualities", "Model scores by language, and the cutoffs they give", columns, found)


def _share(row: Mapping[str, Any]) -> Quantity:
    share = row["kept"] / max(1, row["documents"] + row["unscored"])
    return Quantity(share, f"{100 * share:.1f} %")


def _number(value: float | None) -> Quantity | None:
    return None if value is None else Quantity(value, f"{value:.4g}")


def bars(counts: Sequence[int]) -> str:
    """Return a histogram in block characters, one for each bin; any bin that is not empty is seen."""
    most = max(counts, default=0)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most) if most else 0] for count in counts)
