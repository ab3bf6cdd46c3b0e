"""Growth: unique text does not grow in step with text, because the more is read, the more of it was read before.

A cluster of duplicates is seen in s of the sampled files. Its true rate varies from cluster to cluster as a gamma
distribution extended to shapes down to −1 (Engen 1974, Biometrika 61): Fisher's logarithmic series and Heaps' power
law are cases of it, and so is text that never repeats. Shape and scale are fitted to the frequencies of s by maximum
likelihood, clusters weighted by their tokens, and the fitted curve is carried on to the whole crawl. Intervals come
from half-samples of the files, as resampling with replacement would make duplicates of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import lgamma
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from tamis.budget.extrapolate import LEVEL, Estimate, gamma_draws
from tamis.errors import ConfigError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Sightings past this count as this many: such text is everywhere and adds nothing to what is new.
_MOST = 64
_HALVES = 80
# Half of fewer is no sample.
LEAST_FILES = 4
# Languages in fewer get at least the interval of a sum of Poisson-many amounts.
_FEW_FILES = 6
# Clusters' worth of the corpus-wide profile that every language is pulled towards.
_PRIOR_CLUSTERS = 25.0


@dataclass(frozen=True, slots=True)
class Sightings:
    """Where a language's clusters of duplicates were seen: entry i says that cluster `cluster[i]` is in file
    `file[i]`, each pair once. `tokens[c]` is the size of one copy of cluster c; files count from 0 to `files` − 1.

    Texts that only one file has may be added up to one cluster per file; `texts` is how many there are in truth.
    """

    cluster: Ints
    file: Ints
    tokens: Floats
    files: int
    texts: int

    def counts(self, chosen: npt.NDArray[np.bool_] | None = None) -> Ints:
        """Return in how many files (of those `chosen`) each cluster was seen."""
        seen = self.cluster if chosen is None else self.cluster[chosen[self.file]]
        return np.bincount(seen, minlength=len(self.tokens))

    def profile(self, chosen: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Return the tokens of the clusters seen once, twice, … `_MOST` times or more, shape (_MOST,)."""
        counts = np.minimum(self.counts(chosen), _MOST)
        return np.bincount(counts, weights=self.tokens, minlength=_MOST + 1)[1:].astype(np.float64)

    def curve(self, points: int = 4) -> list[tuple[int, float]]:
        """Return (files, expected unique tokens) of nested subsamples, each half the next, the whole sample last.

        Exact rarefaction (Hurlbert 1971): the mean over all subsamples of that size.
        """
        profile = np.bincount(self.counts(), weights=self.tokens).astype(np.float64)
        sizes = sorted({max(1, self.files >> shift) for shift in range(points)})
        return [(size, float(_rarefied(profile, self.files, size))) for size in sizes]


def _rarefied(profile: Floats, files: int, size: int) -> float:
    """Return the unique tokens expected in `size` of `files` files; profile[s] are tokens seen in s files."""
    total = 0.0
    for seen, tokens in enumerate(profile):
        if seen and tokens:
            absent = files - seen
            missed = 0.0
            if absent >= size:
                missed = np.exp(_choose(absent, size) - _choose(files, size))
            total += float(tokens) * (1 - missed)
    return total


def _choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Candidate fits: `log_chance[g, s − 1]` of s sightings given one or more, by exponent α = −shape and scale b."""

    alpha: Floats
    scale: Floats
    log_chance: Floats


@cache
def _grid() -> _Grid:
    alphas = np.concatenate([-np.array([8.0, 4.0, 2.0, 1.0, 0.5, 0.25]), np.linspace(0.001, 0.98, 40)])
    scales = np.geomspace(1e-4, 1e3, 71)
    alpha, scale = (each.ravel() for each in np.meshgrid(alphas, scales, indexing="ij"))
    theta = scale / (1 + scale)
    seen = np.arange(1, 4096)
    rising = np.array([[lgamma(s - a) - lgamma(s + 1) - lgamma(1 - a) for s in seen] for a in alphas])
    terms = np.repeat(rising, len(scales), axis=0) + seen * np.log(theta)[:, None]
    norm = np.log(growth(alpha, scale, 1.0) / (1 + scale) ** alpha)
    chance = np.exp(terms - norm[:, None])
    tail = np.maximum(1 - chance[:, : _MOST - 1].sum(axis=1), 1e-300)
    log_chance = np.concatenate([terms[:, : _MOST - 1] - norm[:, None], np.log(tail)[:, None]], axis=1)
    return _Grid(alpha, scale, log_chance)


def growth(alpha: Floats, scale: Floats, effort: float) -> Floats:
    """Return the unique text after `effort` times the sample, in an arbitrary unit: ((1 + b·t)^α − 1) / α."""
    return np.asarray(np.expm1(alpha * np.log1p(scale * effort)) / alpha)


def _ratio(profiles: Floats, effort: float) -> Floats:
    """Return, for each row of token frequencies, by how much unique text grows over `effort` times the sample."""
    grid = _grid()
    best = np.argmax(profiles @ grid.log_chance.T, axis=1)
    alpha, scale = grid.alpha[best], grid.scale[best]
    return growth(alpha, scale, effort) / growth(alpha, scale, 1.0)


def unique(
    languages: Mapping[str, Sightings], population: int, *, level: float = LEVEL, seed: int = 0
) -> dict[str, Estimate]:
    """Return the unique tokens each language has in `population` files. Raises ConfigError for fewer than 4 files."""
    if not languages:
        return {}
    files = next(iter(languages.values())).files
    if files < LEAST_FILES or population < files:
        raise ConfigError(
            f"The growth of unique text cannot be told from {files} of {population} files.",
            "Run on 4 files or more, and give the number of files of the whole crawl.",
        )
    halves = _halves(files, seed)
    effort = population / files
    pooled = sum((each.profile() for each in languages.values()), np.zeros(_MOST))
    pooled_halves = sum((_profiles(each, halves) for each in languages.values()), np.zeros((len(halves), _MOST)))
    found = {}
    for code, each in languages.items():
        point = _project(each.profile()[None], pooled[None], each, effort)[0]
        spread = _project(_profiles(each, halves), pooled_halves, each, population / (files // 2))
        found[code] = _interval(each, point, spread, population, level)
    return found


def _halves(files: int, seed: int) -> npt.NDArray[np.bool_]:
    """Return half-samples in complementary pairs, shape (_HALVES, files)."""
    generator = np.random.default_rng(seed)
    chosen = np.zeros((_HALVES, files), bool)
    for row in range(0, _HALVES, 2):
        order = generator.permutation(files)
        chosen[row, order[: files // 2]] = True
        chosen[row + 1, order[-(files // 2) :]] = True
    return chosen


def _profiles(sightings: Sightings, chosen: npt.NDArray[np.bool_]) -> Floats:
    return np.stack([sightings.profile(row) for row in chosen])


def _project(profiles: Floats, pooled: Floats, sightings: Sightings, effort: float) -> Floats:
    """Return the unique tokens that each row's sample grows to."""
    seen = profiles.sum(axis=1)
    mean = sightings.tokens.sum() / max(sightings.texts, 1)
    # In units of clusters of mean size, so that the prior weighs the same in every language.
    own = profiles / max(mean, 1.0)
    prior = pooled / np.maximum(pooled.sum(axis=1, keepdims=True), 1.0)
    return np.asarray(seen * _ratio(own + _PRIOR_CLUSTERS * prior, effort))


def _interval(sightings: Sightings, point: float, spread: Floats, population: int, level: float) -> Estimate:
    """Return the interval: half-samples deviate from the sample as the sample does from the crawl."""
    observed = float(sightings.profile().sum())
    spread = np.maximum(spread, 1e-9 * max(point, 1.0))
    shrink = np.sqrt(1 - sightings.files / population)
    normal = NormalDist()
    # The median deviation, not the mean square: half of a sample that has a language in few files may hold almost none
    # of it, and the logarithm of almost nothing is no measure of anything.
    median = float(np.median(np.abs(np.log(spread) - np.log(max(point, 1e-9)))))
    width = normal.inv_cdf((1 + level) / 2) * median / normal.inv_cdf(0.75) * shrink
    low, high = point * np.exp(-width), point * np.exp(width)
    amounts = sightings.tokens[sightings.cluster]
    held: Floats = np.bincount(sightings.file, weights=amounts, minlength=sightings.files).astype(np.float64)
    if np.count_nonzero(held) < _FEW_FILES:
        # Halves of so few say too little: what chance alone does to a total is the least that must be admitted.
        above = gamma_draws(held, point, population)
        low, high = min(low, np.quantile(above, (1 - level) / 2)), max(high, np.quantile(above, (1 + level) / 2))
    return Estimate(float(point), max(float(low), observed), float(high), observed, level)
