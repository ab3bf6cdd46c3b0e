"""Simulated crawls whose truth is known: how often the intervals hold it, and how far straight lines are off.

python -P benchmarks/budget.py --crawls 200
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.budget.extrapolate import totals
from tamis.budget.growth import Sightings, unique

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Crawl:
    """One language of a simulated crawl: copies of texts, each in a file. Cluster c has tokens[c] tokens."""

    cluster: npt.NDArray[np.int64]
    file: npt.NDArray[np.int64]
    tokens: Floats


def copies(generator: np.random.Generator, clusters: int) -> npt.NDArray[np.int64]:
    """Draw how often each text stands in the crawl: a share once, the others by one of three laws."""
    law = generator.integers(3)
    if law == 0:
        many = 1 + generator.geometric(generator.uniform(0.1, 0.6), clusters)
    elif law == 1:
        many = 1 + np.minimum(generator.zipf(generator.uniform(2.0, 3.0), clusters), 400)
    else:
        rates = generator.gamma(generator.uniform(0.3, 2.0), generator.uniform(1.0, 10.0), clusters)
        many = 1 + generator.poisson(rates)
    return np.where(generator.random(clusters) < generator.uniform(0.3, 0.9), 1, many)


def language(generator: np.random.Generator, clusters: int, files: int) -> Crawl:
    """Simulate a language: pages come in bursts of one domain, and a burst lies in one file."""
    number = copies(generator, clusters)
    cluster = np.repeat(np.arange(clusters), number)
    domains = max(1, clusters // 30)
    sizes = generator.pareto(1.3, domains) + 1
    bursts = max(1, round(len(cluster) / generator.uniform(1.5, 6.0)))
    domain = generator.choice(domains, bursts, p=sizes / sizes.sum())
    where = generator.integers(files, size=bursts)
    length = generator.lognormal(0.0, 0.6, domains)
    burst = generator.choice(bursts, len(cluster), p=sizes[domain] ** 0.3 / (sizes[domain] ** 0.3).sum())
    tokens = np.round(generator.lognormal(6.3, 0.9, clusters) * length[generator.integers(domains, size=clusters)]) + 1
    return Crawl(cluster, where[burst], tokens)


def crawl(seed: int, *, languages: int, largest: int, files: int) -> list[Crawl]:
    """Simulate a crawl whose languages' sizes follow Zipf's law."""
    generator = np.random.default_rng(seed)
    return [language(generator, max(5, round(largest / rank)), files) for rank in range(1, languages + 1)]


@dataclass(frozen=True)
class Case:
    """One language of one crawl: what was estimated, and what is true."""

    measure: str
    files_seen: int
    truth: float
    value: float
    low: float
    high: float
    straight: float

    @property
    def covered(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


def cases(seed: int, *, languages: int, largest: int, files: int, sampled: int) -> Iterator[Case]:
    """Estimate every language that the sample has, and yield its totals and its unique text."""
    crawls = crawl(seed, languages=languages, largest=largest, files=files)
    observed = np.zeros((sampled, languages))
    sightings: dict[str, Sightings] = {}
    for index, each in enumerate(crawls):
        inside = each.file < sampled
        amounts = each.tokens[each.cluster[inside]]
        observed[:, index] = np.bincount(each.file[inside], weights=amounts, minlength=sampled)
        if inside.any():
            sightings[str(index)] = seen(each.cluster[inside], each.file[inside], each.tokens, sampled)
    estimates = totals(observed, files, seed=seed)
    uniques = unique(sightings, files, seed=seed)
    for index, each in enumerate(crawls):
        if not observed[:, index].any():
            continue
        having = int(np.count_nonzero(observed[:, index]))
        straight = files / sampled
        found, truth = estimates[index], float(each.tokens[each.cluster].sum())
        yield Case("total", having, truth, found.value, found.low, found.high, straight * found.observed)
        found, truth = uniques[str(index)], float(each.tokens.sum())
        yield Case("unique", having, truth, found.value, found.low, found.high, straight * found.observed)


def seen(cluster: npt.NDArray[np.int64], file: npt.NDArray[np.int64], tokens: Floats, files: int) -> Sightings:
    """Return the sightings of the clusters in a sample, renumbered without gaps."""
    pairs = np.unique(np.stack([cluster, file]), axis=1)
    names, dense = np.unique(pairs[0], return_inverse=True)
    return Sightings(dense.astype(np.int64), pairs[1], tokens[names], files, len(names))


def summary(found: list[Case]) -> list[str]:
    """Return the table: coverage and errors for totals and unique text, of frequent and rare languages."""
    lines = ["measure  languages  cases  coverage  median error  straight-line error  median width"]
    for measure in ("total", "unique"):
        for name, low, high in (
            ("all", 1, 10**9),
            ("frequent", 25, 10**9),
            ("middling", 12, 24),
            ("rare", 1, 11),
            ("rarest", 1, 5),
        ):
            group = [case for case in found if case.measure == measure and low <= case.files_seen <= high]
            if group:
                lines.append(_line(measure, name, group))
    return lines


def _line(measure: str, name: str, group: list[Case]) -> str:
    covered = np.mean([case.covered for case in group])
    error = np.median([abs(case.value / case.truth - 1) for case in group])
    straight = np.median([abs(case.straight / case.truth - 1) for case in group])
    width = np.median([(case.high - case.low) / case.truth for case in group])
    return (
        f"{measure:8} {name:9} {len(group):6} {100 * covered:8.1f} % {100 * error:11.1f} % "
        f"{100 * straight:17.1f} % {100 * width:11.1f} %"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crawls", type=int, default=200)
    parser.add_argument("--languages", type=int, default=60)
    parser.add_argument("--largest", type=int, default=10_000, help="distinct texts of the largest language")
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--sampled", type=int, default=40)
    options = parser.parse_args()
    found = [
        case
        for seed in range(options.crawls)
        for case in cases(
            seed,
            languages=options.languages,
            largest=options.largest,
            files=options.files,
            sampled=options.sampled,
        )
    ]
    print(f"{options.crawls} crawls of {options.files} files, {options.sampled} sampled; nominal coverage 90 %")
    print("\n".join(summary(found)))


if __name__ == "__main__":
    main()
