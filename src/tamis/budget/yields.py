"""Yield: what each language has at medium and at high quality, from how many sites, and what the crawl would give.

Medium quality passed the language and heuristic filters; high quality is deduplicated too, and in the head bucket
where the language has a perplexity model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tamis.budget.buckets import buckets
from tamis.budget.buckets import to_json as bucket_figures
from tamis.budget.evidence import Evidence, LanguageEvidence, Open, Receipt, per_file, sightings
from tamis.budget.extrapolate import Estimate, totals, unseen_limit
from tamis.budget.growth import LEAST_FILES, unique
from tamis.budget.ledger import Amount, Ledger
from tamis.budget.summary import ASSIGNED, LanguageSummary, summarise

# A language whose text comes mostly from one site, or from few, trains a model of that site.
DOMINATED = 0.5
FEW_DOMAINS = 5.0
TOP_DOMAINS = 3
_DEDUP = "dedup"


@dataclass(frozen=True, slots=True)
class Domains:
    """The sites a language's kept tokens come from.

    `effective` is the inverse Simpson number, 1 / Σ share²: as many equally large sites would be as concentrated.
    `top` are the largest as (host, tokens).
    """

    count: int
    effective: float
    top: tuple[tuple[str, int], ...]
    top_share: float

    @property
    def flags(self) -> tuple[str, ...]:
        """What a person should know before training on it."""
        found = []
        if self.top_share > DOMINATED:
            found.append("one site has most of it")
        elif 0 < self.effective < FEW_DOMAINS:
            found.append("few sites")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Yield:
    """One language's yield. `crawl_*` and `year_*` are estimates for a crawl and a year, None where none was asked;
    `buckets` are what is kept by perplexity, empty where nothing was scored."""

    summary: LanguageSummary
    medium: Amount
    high: Amount
    words: int | None
    domains: Domains
    crawl_medium: Estimate | None = None
    crawl_high: Estimate | None = None
    year_medium: Estimate | None = None
    year_high: Estimate | None = None
    buckets: Mapping[str, Amount] = field(default_factory=dict)

    @property
    def language(self) -> str:
        """The language."""
        return self.summary.language

    def to_json(self) -> dict[str, Any]:
        """Return the yield as JSON holds it: the summary's keys, and what stands beside them here."""
        record: dict[str, Any] = self.summary.to_json()
        for name, amount in (("medium", self.medium), ("high", self.high)):
            record |= {f"{name}_{key}": value for key, value in asdict(amount).items()}
        record |= {"words": self.words, "domains": self.domains.count}
        record |= {"effective_domains": round(self.domains.effective, 3), "top_share": round(self.domains.top_share, 4)}
        record |= {"top_domains": [list(each) for each in self.domains.top], "flags": list(self.domains.flags)}
        record |= bucket_figures(self.buckets)
        for name in ("crawl_medium", "crawl_high", "year_medium", "year_high"):
            estimate: Estimate | None = getattr(self, name)
            if estimate is not None:
                record[name] = [round(estimate.value), round(estimate.low), round(estimate.high)]
        return record


@dataclass(frozen=True, slots=True)
class Outlook:
    """Estimates beyond the run: the number of files of the `crawl` and the `year`, and how many were `sampled`.

    `unseen_limit` is an upper limit, in tokens of the crawl, for any language that no file had. `curve` is unique
    text over nested subsamples: (files, tokens), all languages.
    """

    sampled: int
    crawl: int
    year: int | None
    unseen_limit: float
    curve: tuple[tuple[int, float], ...]


def medium_step(ledger: Ledger) -> str:
    """Return the step whose kept documents are of medium quality: the last before deduplication."""
    steps = ledger.steps
    place = steps.index(_DEDUP) if _DEDUP in steps else len(steps) - 1
    return steps[max(place - 1, 0)]


def yields(ledger: Ledger, evidence: Evidence) -> list[Yield]:
    """Return every identified language's yield, the most high-quality tokens first."""
    medium, high = _kept(ledger, medium_step(ledger)), _kept(ledger, ledger.steps[-1]) if ledger.steps else {}
    found, sorted_ = [], buckets(ledger)
    for summary in summarise(ledger):
        of = evidence.languages.get(summary.language, LanguageEvidence())
        best = high.get(summary.language, Amount())
        if of.has_buckets:
            best = Amount(of.head_documents, of.head_bytes, 0, of.head_tokens)
        usual = medium.get(summary.language, Amount())
        by_bucket = sorted_.get(summary.language, {})
        found.append(Yield(summary, usual, best, of.words, domains(of.domains), buckets=by_bucket))
    return sorted(found, key=lambda each: (-each.high.tokens, -each.medium.tokens, each.language))


def _kept(ledger: Ledger, step: str) -> dict[str, Amount]:
    found: dict[str, Amount] = {}
    for at, code, outcome, _, *amount in ledger.rows():
        if at == step and outcome == "kept":
            found[code] = found.get(code, Amount()) + Amount(*amount)
    return found


def domains(tokens: Mapping[str, int]) -> Domains:
    """Return how concentrated tokens by host are; documents without a URL count as one host, unnamed."""
    total = sum(tokens.values())
    if total == 0:
        return Domains(0, 0.0, (), 0.0)
    shares = np.array(sorted(tokens.values()), np.float64) / total
    top = sorted(tokens.items(), key=lambda item: (-item[1], item[0]))[:TOP_DOMAINS]
    return Domains(len(tokens), float(1 / np.sum(shares**2)), tuple(top), top[0][1] / total)


def extrapolate(
    found: Sequence[Yield],
    ledger: Ledger,
    receipts: Sequence[Receipt],
    open_file: Open,
    *,
    crawl: int,
    year: int | None = None,
) -> tuple[list[Yield], Outlook]:
    """Return yields with estimates for a crawl of `crawl` files and a year of `year` files.

    Only languages of which something was kept are estimated; for all others the outlook has one upper limit. Unique
    text of a year takes the crawls for samples of one web: pages fetched again in each of them make it too high.
    """
    codes = [each.language for each in found]
    amounts = per_file(receipts, medium_step(ledger), ledger.steps[0], codes)
    enough = _DEDUP in ledger.steps and len(amounts.tokens) >= LEAST_FILES
    clusters = sightings(receipts, open_file, ledger.steps[0]) if enough else {}
    medium = [totals(amounts.tokens, files) if files else None for files in (crawl, year)]
    high = [unique(clusters, files) if files and clusters else {} for files in (crawl, year)]
    made = [
        _extended(each, *((of[index] if of else None) for of in medium), *(of.get(each.language) for of in high))
        for index, each in enumerate(found)
    ]
    curves = [each.curve() for each in clusters.values()]
    sizes = sorted({size for curve in curves for size, _ in curve})
    curve = tuple((size, sum(dict(each)[size] for each in curves)) for size in sizes)
    limit = unseen_limit(amounts.tokens, crawl)
    return made, Outlook(len(amounts.tokens), crawl, year, limit, curve)


def _extended(
    each: Yield,
    crawl_medium: Estimate | None,
    year_medium: Estimate | None,
    crawl_unique: Estimate | None,
    year_unique: Estimate | None,
) -> Yield:
    """Return a yield with estimates; of unique text, as much is of high quality as in the sample."""
    kept = each.summary.kept_tokens
    share = each.high.tokens / kept if kept else 0.0
    return Yield(
        each.summary,
        each.medium,
        each.high,
        each.words,
        each.domains,
        crawl_medium,
        crawl_unique.scaled(share) if crawl_unique else None,
        year_medium,
        year_unique.scaled(share) if year_unique else None,
        each.buckets,
    )


def funnel(ledger: Ledger) -> dict[str, list[int | None]]:
    """Return each language's tokens: found, then kept by each step that knows languages; None where it has no entry."""
    if ASSIGNED not in ledger.steps:
        return {}
    steps = ledger.steps[ledger.steps.index(ASSIGNED) :]
    columns = [_kept(ledger, step) for step in steps]
    return {
        row.language: [row.found_tokens, *(c[row.language].tokens if row.language in c else None for c in columns)]
        for row in summarise(ledger)
    }
