"""The report page: one self-contained HTML file that opens without a network.

A content security policy admits its two scripts by their hashes and nothing else; text from the crawl is escaped in
tables and data, and shown by the script as text, each piece isolated from the direction of its neighbours.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from tamis.budget import qualities, scaling
from tamis.budget.buckets import buckets_table
from tamis.budget.charts import datasets
from tamis.budget.evidence import Sample
from tamis.budget.extrapolate import Estimate
from tamis.budget.ledger import Amount, Ledger
from tamis.budget.markup import Quantity, data_block, figure, packed, script_hash, table, visible
from tamis.budget.summary import ASSIGNED
from tamis.budget.yields import Outlook, Yield, funnel

# Above this many the page takes long to open; every language and reason keeps its share.
MAX_SAMPLES = 50_000
# Packed size of the samples, in characters; a page of 20 MB has room for the tables and the charts' script beside it.
MAX_PACKED = 14_000_000
_DAYS_GPUS = 1024


@dataclass(frozen=True, slots=True)
class Threshold:
    """A rule in force: what it measures, and its bounds as text."""

    step: str
    reason: str
    at_least: str
    at_most: str


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows. `clusters` are (least copies, texts), `largest` the clusters of most copies
    as (id, copies, start of the text), `removals` (language or site, documents looked at, duplicates); `problems` are
    (input, why it could not be read); `alarms` are what must not be overlooked; `scores` are rows of
    `report/thresholds.csv`, `qualities` of `scores.parquet`."""

    ledger: Ledger
    yields: Sequence[Yield]
    samples: Sequence[Sample] = ()
    problems: Sequence[tuple[str, str]] = ()
    thresholds: Sequence[Threshold] = ()
    clusters: Sequence[tuple[int, int]] = ()
    largest: Sequence[tuple[str, int, str]] = ()
    outlook: Outlook | None = None
    rule: str = "chinchilla"
    gpu: str = "A100"
    utilisation: float = 0.35
    notes: Sequence[str] = field(default_factory=tuple)
    scores: Sequence[Mapping[str, Any]] = ()
    removals: Sequence[tuple[str, int, int]] = ()
    qualities: Sequence[Mapping[str, Any]] = ()
    alarms: Sequence[str] = ()


def render(view: View) -> str:
    """Return the page."""
    vega, script = _resource("charts/vega.js.gz"), _resource("page.js")
    template = Template(_resource("page.html"))
    samples = _fitted(view.samples)
    data = datasets(view.ledger, view.yields, view.clusters, view.outlook)
    return template.substitute(
        hashes=f"{script_hash(vega)} {script_hash(script)}",
        vega=vega,
        script=script,
        summary=_summary(view),
        alarms=_alarms(view.alarms),
        outlook=_outlook(view.outlook),
        problems=table("problems", "Inputs that could not be read", ("Input", "Why"), view.problems),
        has_problems="" if view.problems else "hidden",
        languages=_languages(view) + buckets_table(view.ledger),
        rule=escape(_rule(view)),
        rungs=_rungs(view),
        references=_references(),
        steps=_steps(view.ledger),
        funnel=_funnel(view),
        domains=_domains(view),
        clusters=table("clusters", "Texts by number of copies", ("Copies at least", "Texts"), view.clusters),
        largest=_largest(view.largest),
        removals=_removals(view.removals),
        drops=_drops(view.ledger),
        sampled=escape(f"{len(samples[1]):,} of {len(view.samples):,} samples of dropped and kept documents."),
        samples=samples[0],
        thresholds=_thresholds(view.thresholds),
        scores=_scores(view.scores),
        qualities=qualities.section(view.qualities),
        data=_data(data, view),
        **{f"{name}_chart": figure(name, text) if data[name]["rows"] else "" for name, text in _CAPTIONS.items()},
    )


_CAPTIONS = {
    "ladder": "Tokens by language against what the model sizes of the ladder want (dashed), with intervals.",
    "yield": "Tokens found by language, and what became of them.",
    "funnel": "What each step kept and dropped.",
    "domains": "How many sites each language's text comes from.",
    "duplicates": "How many texts stand in the crawl how often, before deduplication.",
    "growth": "Unique text as more files are read.",
    "drops": "Tokens dropped by reason, all languages.",
}


@cache
def _resource(name: str) -> str:
    data = files("tamis.budget").joinpath(name).read_bytes()
    return (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8")


def _summary(view: View) -> str:
    steps = view.ledger.steps
    records = view.ledger.total(steps[0], "in").documents if steps else 0
    tokens = sum(each.summary.kept_tokens for each in view.yields)
    documents = sum(each.summary.kept_documents for each in view.yields)
    kept = sum(each.summary.kept_documents > 0 for each in view.yields)
    text = f"{records:,} records in; {documents:,} documents and {tokens:,} tokens out, in {kept} languages."
    return escape(" ".join([text, *view.notes]))


def _alarms(alarms: Sequence[str]) -> str:
    if not alarms:
        return ""
    return f'<ul id="alarms" role="alert">{"".join(f"<li>{escape(each)}</li>" for each in alarms)}</ul>'


def _outlook(outlook: Outlook | None) -> str:
    if outlook is None:
        return "Figures are of this run. Give the crawl's number of files to <code>tamis report</code> to estimate it."
    year = f" and a year of {outlook.year:,}" if outlook.year else ""
    return escape(
        f"Estimates with 90 % intervals are for a crawl of {outlook.crawl:,} files{year}, of which {outlook.sampled:,} "
        f"were read. A language not seen at all has at most {outlook.unseen_limit:,.0f} tokens in it."
    )


def _languages(view: View) -> str:
    rule = scaling.rule(view.rule)
    columns = [
        "Language",
        "Documents",
        "Tokens, medium",
        "Tokens, high",
        "Bytes, high",
        "Words",
        "Largest model",
        "4 epochs",
    ]
    if view.outlook:
        columns += ["Crawl, medium", "Crawl, high"]
        columns += ["Year, medium", "Year, high"] if view.outlook.year else []
    columns += ["Costliest rule", "Its tokens"]
    rows = []
    for each in view.yields:
        best = each.year_high or each.crawl_high
        supply = scaling.supply(best.value if best else float(each.high.tokens), rule)
        row: list[Any] = [each.language, each.high.documents, each.medium.tokens, each.high.tokens, each.high.bytes]
        row += [each.words, *(Quantity(n, si(n)) for n in (supply.once, supply.repeated))]
        if view.outlook:
            row += [_estimate(each.crawl_medium), _estimate(each.crawl_high)]
            row += [_estimate(each.year_medium), _estimate(each.year_high)] if view.outlook.year else []
        rows.append([*row, each.summary.costliest_reason, each.summary.costliest_tokens])
    caption = "Every identified language: medium quality passed the filters, high is deduplicated, head bucket if any"
    return table("languages", caption, columns, rows)


def _estimate(each: Estimate | None) -> Quantity | None:
    return Quantity(each.value, f"{si(each.value)} ({si(each.low)}–{si(each.high)})") if each else None


def si(number: float) -> str:
    """Return a number with three digits and K, M, B or T."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def _rule(view: View) -> str:
    rule = scaling.rule(view.rule)
    return (
        f"Rule: {rule.name} ({rule.source}). Cost: 6·N·D FLOP at {100 * view.utilisation:.0f} % of the dense BF16 peak "
        f"of {view.gpu}, {scaling.peak(view.gpu) / 1e12:,.0f} TFLOP/s."
    )


def _rungs(view: View) -> str:
    rows: list[list[Any]] = []
    for place, rung in enumerate(scaling.ladder()):
        hours = scaling.gpu_hours(scaling.flops(rung.parameters, rung.tokens), view.gpu, view.utilisation)
        supplies = [scaling.supply(_supply(each), scaling.rule(view.rule)) for each in view.yields]
        once, repeated = sum(s.rungs[place] for s in supplies), sum(s.repeated_rungs[place] for s in supplies)
        days = hours / 24 / _DAYS_GPUS
        sizes = (Quantity(rung.parameters, si(rung.parameters)), Quantity(rung.tokens, si(rung.tokens)))
        rows.append([*sizes, once, repeated, Quantity(hours, f"{hours:,.0f}"), Quantity(days, f"{days:,.1f}")])
    columns = ["Parameters", "Least tokens", "Languages that reach it", "with 4 epochs"]
    columns += [f"{view.gpu}-hours", f"Days on {_DAYS_GPUS:,}"]
    return table("rungs", "The ladder of model sizes, and what training costs", columns, rows)


def _supply(each: Yield) -> float:
    best = each.year_high or each.crawl_high
    return best.value if best else float(each.high.tokens)


def _references() -> str:
    rows = [
        [
            Quantity(row.parameters, si(row.parameters)),
            Quantity(row.tokens, si(row.tokens)),
            Quantity(row.hours, f"{row.hours:,.0f}"),
            Quantity(row.utilisation, f"{100 * row.utilisation:.1f} %"),
        ]
        for row in scaling.references()
    ]
    columns = ("Parameters", "Tokens", "A100-hours on record", "Utilisation they imply")
    return table("references", "Training runs on record", columns, rows)


def _steps(ledger: Ledger) -> str:
    rows: list[list[str | int]] = []
    for step in ledger.steps:
        taken, kept = ledger.total(step, "in"), ledger.total(step, "kept")
        lost = taken - kept
        rows.append([step, taken.documents, kept.documents, lost.documents, kept.tokens, lost.tokens])
    columns = ("Step", "Documents in", "Kept", "Dropped", "Tokens kept", "Tokens dropped")
    return table("steps", "All languages; tokens are counted from language identification on", columns, rows)


def _funnel(view: View) -> str:
    steps = _language_steps(view.ledger)
    rows: list[list[str | int | None]] = [[code, *numbers] for code, numbers in funnel(view.ledger).items()]
    return table("funnel-table", "Tokens found, then kept by each step", ["Language", "Found", *steps], rows)


def _language_steps(ledger: Ledger) -> list[str]:
    return ledger.steps[ledger.steps.index(ASSIGNED) :] if ASSIGNED in ledger.steps else []


def _domains(view: View) -> str:
    rows: list[list[str | int | Quantity]] = [
        [
            each.language,
            each.domains.count,
            Quantity(each.domains.effective, f"{each.domains.effective:,.1f}"),
            Quantity(each.domains.top_share, f"{100 * each.domains.top_share:.1f} %"),
            ", ".join(f"{visible(host) or '(no address)'} {tokens:,}" for host, tokens in each.domains.top),
            "; ".join(each.domains.flags),
        ]
        for each in view.yields
        if each.domains.count
    ]
    columns = ("Language", "Sites", "Effective number", "Share of the largest", "Largest, with tokens", "Note")
    return table("domains-table", "Sites the kept tokens come from", columns, rows)


def _largest(largest: Sequence[tuple[str, int, str]]) -> str:
    rows = [(visible(ident), size, text) for ident, size, text in largest]
    return table("largest", "Texts with the most copies", ("Document kept", "Copies", "It begins"), rows)


def _removals(removals: Sequence[tuple[str, int, int]]) -> str:
    rows = [(visible(name), known, gone, f"{gone / max(known, 1):.1%}") for name, known, gone in removals if gone]
    columns = ("Language or site", "Documents looked at", "Removed", "Share")
    return table("removals", "Duplicates removed, by language and site", columns, rows)


def _drop_totals(ledger: Ledger) -> dict[tuple[str, str], Amount]:
    totals: dict[tuple[str, str], Amount] = {}
    for step, _, reason, amount in ledger.reasons():
        totals[step, reason] = totals.get((step, reason), Amount()) + amount
    return totals


def _drops(ledger: Ledger) -> str:
    rows: list[list[str | int]] = [
        [*key, each.documents, each.tokens, each.bytes] for key, each in _drop_totals(ledger).items()
    ]
    caption = "Every reason, all languages. Entries with 0 documents are text cut out of documents that stayed."
    return table("drops-table", caption, ("Step", "Reason", "Documents", "Tokens", "Bytes"), rows)


def _thresholds(thresholds: Sequence[Threshold]) -> str:
    rows = [[each.step, each.reason, each.at_least, each.at_most] for each in thresholds]
    return table("thresholds-table", "Bounds a document had to keep", ("Step", "Measure", "At least", "At most"), rows)


def _scores(scores: Sequence[Mapping[str, Any]]) -> str:
    names = ("median", "std", "in_force", "by_spread", "by_purity", "contamination")
    rows: list[list[Any]] = [
        [each["language"], each["documents"], *(Quantity(each[name], f"{each[name]:.3f}") for name in names)]
        for each in scores
    ]
    columns = ["Language", "Documents", "Median score", "Std", "In force", "By spread", "By purity", "Contamination"]
    return table("scores", "Language scores, and the thresholds they give", columns, rows)


def _fitted(samples: Sequence[Sample]) -> tuple[str, list[Sample]]:
    """Return the samples packed, and which they are: fewer of each group where all would make the page too large."""
    chosen = _thinned(samples, MAX_SAMPLES)
    while True:
        rows = [
            [visible(s.id), visible(s.url), s.language, s.step, s.reason, s.value, s.threshold, s.tokens, s.text,
             visible(s.kept_id)]
            for s in chosen
        ]  # fmt: skip
        text = packed(rows)
        if len(text) <= MAX_PACKED:
            return text, chosen
        chosen = _thinned(chosen, int(len(chosen) * 0.9 * MAX_PACKED / len(text)))


def _thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return at most `most` samples, the first of each (language, step, reason) before the second of any."""
    if len(samples) <= most:
        return list(samples)
    counts: dict[tuple[str, str, str], int] = {}
    ranks = []
    for each in samples:
        key = (each.language, each.step, each.reason)
        counts[key] = counts.get(key, 0) + 1
        ranks.append(counts[key])
    chosen = sorted(sorted(range(len(samples)), key=lambda index: (ranks[index], index))[:most])
    return [samples[index] for index in chosen]


def _data(data: Mapping[str, Mapping[str, Sequence[Any]]], view: View) -> str:
    blocks = [
        data_block(f"{name}-chart", {"spec": json.loads(_resource(f"charts/{name}.json")), "datasets": rows})
        for name, rows in data.items()
        if rows["rows"]
    ]
    languages = {"steps": _language_steps(view.ledger), "tokens": funnel(view.ledger)}
    return "\n".join([*blocks, data_block("funnel-languages", languages)])
