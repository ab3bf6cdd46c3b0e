"""From a sample to the crawl: k of N WARC files are a cluster sample, and what they hold estimates what all N hold.

Ratio estimator and finite-population correction after Cochran 1977, Sampling Techniques, chapters 6 and 9. Intervals
are bootstrapped over files; a language that few files have is skewed beyond what a bootstrap sees, and gets the gamma
interval of Fay & Feuer 1997 (Statistics in Medicine 16), with the mid-p of Fay & Kim 2017 (Biometrical Journal 59).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.errors import ConfigError

Floats = npt.NDArray[np.float64]

LEVEL = 0.9
# Languages seen in fewer files than this, and not in all, get the gamma interval.
FEW_FILES = 12
_DRAWS = 1000
_GAMMA_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A total of the whole crawl. `low` to `high` is the interval at `level`; `observed` is the sample's own.

    Where nothing was observed, `value` and `low` are 0 and `high` is the one-sided upper limit.
    """

    value: float
    low: float
    high: float
    observed: float
    level: float = LEVEL

    def scaled(self, factor: float) -> Estimate:
        """Return the estimate of a constant multiple of the total."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor, self.observed, self.level)


def totals(
    observed: npt.ArrayLike,
    population: int,
    *,
    sizes: npt.ArrayLike | None = None,
    population_size: float | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> list[Estimate]:
    """Return one estimate per column of `observed`, shape (files, languages), for `population` files.

    `sizes` are what the files' contents go with, such as compressed bytes, and `population_size` their sum over the
    population: with both, the ratio estimator replaces expansion by the number of files. A column of zeros gets 0
    with an upper limit from the languages that one file or a few have.
    """
    values = np.asarray(observed, np.float64)
    files = values.shape[0]
    _require(files, population)
    weights = np.ones(files) if sizes is None or population_size is None else np.asarray(sizes, np.float64)
    whole = float(population) if sizes is None or population_size is None else float(population_size)
    draws = _bootstrap(values, weights, whole, population, seed)
    found = []
    for column in range(values.shape[1]):
        of = values[:, column]
        point = whole * of.sum() / weights.sum()
        seen = int(np.count_nonzero(of))
        if seen == 0:
            high = unseen_limit(values, population, level=level)
            found.append(Estimate(0.0, 0.0, high, 0.0, level))
            continue
        sample = draws[:, column] if seen >= min(FEW_FILES, files) else gamma_draws(of, point, population, seed)
        low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
        least = float(of.sum())
        found.append(Estimate(float(point), max(float(low), least), max(float(high), least), least, level))
    return found


def unseen_limit(observed: npt.ArrayLike, population: int, *, level: float = LEVEL) -> float:
    """Return an upper limit for the total of a language that no file of the sample has.

    The number of files that may hold it and still be missed with probability 1 − level, times what a file holds of
    a language that at most a few files of this sample hold: their 90th percentile, or the median of all where no
    language is that rare.
    """
    values = np.asarray(observed, np.float64)
    _require(values.shape[0], population)
    held = (values > 0).sum(axis=0)
    rare = values[:, (held > 0) & (held <= FEW_FILES)]
    amounts = rare[rare > 0]
    if amounts.size:
        each = float(np.quantile(amounts, 0.9))
    else:
        each = float(np.median(values[values > 0])) if (values > 0).any() else 0.0
    return unseen_files(values.shape[0], population, level=level) * each


def unseen_files(files: int, population: int, *, level: float = LEVEL) -> int:
    """Return the most files of a population that a sample of `files` misses altogether with probability > 1 − level."""
    chance, count = 1.0, 0
    while count < population - files:
        chance *= (population - files - count) / (population - count)
        if chance <= 1 - level:
            break
        count += 1
    return count


def _require(files: int, population: int) -> None:
    if files < 2 or population < files:
        raise ConfigError(
            f"A sample of {files} of {population} files says nothing of the others.",
            "Run on 2 files or more, and give the number of files of the whole crawl.",
        )


def _bootstrap(values: Floats, weights: Floats, whole: float, population: int, seed: int) -> Floats:
    """Return draws of the total, shape (draws, languages), from files drawn with replacement.

    Bootstrap-t: a draw's error is divided by its own standard error, which mends the skew that text in bursts has;
    then scaled to the sample's standard error with the finite-population correction.
    """
    files = len(values)
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(files, np.full(files, 1 / files), size=_DRAWS).astype(np.float64)
    ratio, error = _ratio(counts, values, weights)
    point, own = _ratio(np.ones((1, files)), values, weights)
    studentised = np.where(error > 0, (point - ratio) / np.where(error > 0, error, 1.0), 0.0)
    corrected: Floats = whole * (point + studentised * own * np.sqrt(1 - files / population))
    return corrected


def _ratio(counts: Floats, values: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return the ratio of values to weights and its standard error, for files counted `counts` times each."""
    files = len(values)
    size = np.maximum(counts @ weights, np.finfo(np.float64).tiny)[:, None]
    ratio = (counts @ values) / size
    crossed, squared = counts @ (values * weights[:, None]), (counts @ weights**2)[:, None]
    residual = np.maximum(counts @ values**2 - 2 * ratio * crossed + ratio**2 * squared, 0.0)
    return ratio, np.sqrt(residual * files / (files - 1)) / size


def gamma_draws(of: Floats, point: float, population: int, seed: int = 0) -> Floats:
    """Return draws whose quantiles are the mid-p gamma interval of a sum of Poisson-many file amounts."""
    generator = np.random.default_rng(seed)
    total, squares, largest = of.sum(), (of**2).sum(), of.max()
    above_total, above_squares = total + largest, squares + largest**2
    below = generator.gamma(total**2 / squares, squares / total, _GAMMA_DRAWS)
    above = generator.gamma(above_total**2 / above_squares, above_squares / above_total, _GAMMA_DRAWS)
    mixed = np.where(generator.random(_GAMMA_DRAWS) < 0.5, below, above) / total * point
    corrected: Floats = point + (mixed - point) * np.sqrt(1 - len(of) / population)
    return corrected
