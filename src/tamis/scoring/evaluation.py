"""Evaluation: how well scores tell held-out documents apart, and what they mean in each language."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Percentiles of the calibration table.
PERCENTS = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
_BINS = 10
# Below this many held-out documents a language's own calibration would be noise; the global one stands in.
LEAST = 50


def measures(scores: Floats, labels: Floats, *, binary: bool) -> dict[str, float]:
    """Return held-out figures, rounded: AUC, average precision, accuracy, log loss and calibration error of
    probabilities, or the rank correlation, R² and mean absolute error of grades."""
    found = _binary(scores, labels) if binary else _graded(scores, labels)
    return {name: round(float(value), 4) for name, value in found.items()} | {"documents": len(scores)}


def _binary(scores: Floats, labels: Floats) -> dict[str, float]:
    good = labels > 0.5
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    loss = -np.mean(np.where(good, np.log(clipped), np.log1p(-clipped)))
    return {
        "auc": auc(scores, good),
        "average_precision": _average_precision(scores, good),
        "accuracy": float(np.mean((scores >= 0.5) == good)),
        "log_loss": float(loss),
        "calibration_error": _calibration_error(scores, good),
    }


def _graded(scores: Floats, labels: Floats) -> dict[str, float]:
    spread = float(np.sum((labels - labels.mean()) ** 2))
    return {
        "spearman": float(np.corrcoef(_ranks(scores), _ranks(labels))[0, 1]) if np.ptp(scores) and spread else 0.0,
        "r2": 1 - float(np.sum((labels - scores) ** 2)) / spread if spread else 0.0,
        "mean_absolute_error": float(np.mean(np.abs(labels - scores))),
    }


def _ranks(values: Floats) -> Floats:
    """Return ranks from 1, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place], np.float64)


def auc(scores: Floats, good: npt.NDArray[np.bool_]) -> float:
    """Return the chance that a good document scores above a bad one, ties counting half; NaN without both."""
    positives, negatives = int(good.sum()), int((~good).sum())
    if not positives or not negatives:
        return float("nan")
    return float((_ranks(scores)[good].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _average_precision(scores: Floats, good: npt.NDArray[np.bool_]) -> float:
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(good[order])
    precision = hits / np.arange(1, len(order) + 1)
    return float(precision[good[order]].mean()) if good.any() else float("nan")


def _calibration_error(scores: Floats, good: npt.NDArray[np.bool_]) -> float:
    bins = np.clip((scores * _BINS).astype(int), 0, _BINS - 1)
    total = 0.0
    for each in range(_BINS):
        here = bins == each
        if here.any():
            total += here.mean() * abs(float(scores[here].mean()) - float(good[here].mean()))
    return total


def calibration(scores: Floats, labels: Floats, languages: npt.NDArray[np.str_], *, binary: bool) -> dict[str, Any]:
    """Return, by language and for `all`: documents, the scores at PERCENTS, held-out figures, and for probabilities
    the slope and bias that make them calibrated there (Platt 1999), null under LEAST documents."""
    groups = {"all": np.ones(len(scores), np.bool_)}
    groups |= {str(code): languages == code for code in np.unique(languages)}
    found: dict[str, Any] = {}
    for code, here in groups.items():
        quantiles = np.percentile(scores[here], PERCENTS)
        found[code] = {
            "documents": int(here.sum()),
            "percentiles": {str(p): round(float(q), 4) for p, q in zip(PERCENTS, quantiles, strict=True)},
            "measures": _nulls(measures(scores[here], labels[here], binary=binary)),
        }
        if binary:
            enough = here.sum() >= LEAST and len(np.unique(labels[here])) == 2
            found[code]["platt"] = [round(each, 4) for each in platt(scores[here], labels[here])] if enough else None
    return found


def _nulls(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in figures.items()}


def platt(scores: Floats, labels: Floats) -> tuple[float, float]:
    """Return (a, b) of sigmoid(a · logit(score) + b), fitted by Newton's method to smoothed labels."""
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    logits = np.log(clipped) - np.log1p(-clipped)
    positives = float(labels.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    goal = np.where(labels > 0.5, high, low)
    design = np.stack([logits, np.ones_like(logits)], 1)
    weights = np.array([1.0, 0.0])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        bend = design.T @ (design * (chance * (1 - chance))[:, None]) + 1e-6 * np.eye(2)
        step = np.linalg.solve(bend, design.T @ (chance - goal))
        weights -= np.clip(step, -2, 2)
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(weights[0]), float(weights[1])
