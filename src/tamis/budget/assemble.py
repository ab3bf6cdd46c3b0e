"""Assemble: what a report shows, from a run's ledger, receipts, files and resolved recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tamis.budget.evidence import Open, Receipt, gather
from tamis.budget.ledger import Ledger
from tamis.budget.page import Threshold, View
from tamis.budget.yields import extrapolate, yields


def assemble(
    ledger: Ledger,
    receipts: Sequence[Receipt],
    open_file: Open,
    *,
    settings: Mapping[str, Any],
    problems: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
    alarms: Sequence[str] = (),
    scores: Sequence[Mapping[str, Any]] = (),
    removals: Sequence[tuple[str, int, int]] = (),
    qualities: Sequence[Mapping[str, Any]] = (),
    crawl: int | None = None,
    year: int | None = None,
    rule: str = "chinchilla",
    gpu: str = "A100",
    utilisation: float = 0.35,
) -> View:
    """Return the view of a run. `settings` are those of `recipe.lock.json`; with `crawl`, the number of files of the
    whole crawl (and `year`, of a year's), totals are estimated too."""
    evidence = gather(receipts, open_file)
    found, outlook = yields(ledger, evidence), None
    if crawl is not None:
        found, outlook = extrapolate(found, ledger, receipts, open_file, crawl=crawl, year=year)
    sizes, largest = _clusters(receipts)
    return View(
        ledger,
        found,
        evidence.samples,
        problems,
        list(thresholds(settings)),
        sizes,
        largest,
        outlook,
        rule,
        gpu,
        utilisation,
        notes,
        scores,
        removals,
        qualities,
        alarms,
    )


def as_json(view: View) -> str:
    """Return a view's figures as JSON: languages, problems, alarms, notes, clusters, and the outlook if any."""
    record: dict[str, Any] = {
        "languages": [each.to_json() for each in view.yields],
        "problems": [{"name": name, "problem": problem} for name, problem in view.problems],
        "alarms": list(view.alarms),
        "notes": list(view.notes),
        "cluster_sizes": [list(each) for each in view.clusters],
        "removals": [list(each) for each in view.removals],
        "language_scores": [dict(each) for each in view.scores],
        "model_scores": [dict(each) for each in view.qualities],
    }
    if view.outlook is not None:
        record["outlook"] = asdict(view.outlook)
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def thresholds(settings: Mapping[str, Any]) -> Iterator[Threshold]:
    """Yield the bounds of every rule of a resolved recipe, language identification and deduplication included."""
    language = settings.get("language") or {}
    if language.get("confusable", "separate") != "separate":
        yield Threshold("language", "confusable languages", _policy(language["confusable"]), "")
    for key in ("at_least", "min_score"):
        if language.get(key) is not None:
            yield Threshold("language", "language_score", _bound(language[key]), "")
    for chain in settings.get("filters") or []:
        for rule in chain["rules"]:
            yield Threshold(chain["name"], rule["reason"], _bound(rule.get("at_least")), _bound(rule.get("at_most")))
    dedup = settings.get("dedup")
    if dedup:
        yield Threshold("dedup", "similarity of duplicates", f"{dedup['threshold']:g}", "")

    scoring = settings.get("scoring") or {}
    for key, what in (("keep_percent", "best per cent of each language"), ("cutoff", "score")):
        if scoring.get(key) is not None:
            yield Threshold("score", what, _bound(scoring[key]), "")


def _policy(policy: Any) -> str:
    if not isinstance(policy, Mapping):
        return str(policy)
    return ", ".join(f"{group}: {each}" for group, each in sorted(policy.items()))


def _bound(bound: Any) -> str:
    """Return a bound as text: a number, or its default and how many languages have their own."""
    if bound is None:
        return ""
    if not isinstance(bound, Mapping):
        return f"{bound:g}" if isinstance(bound, int | float) else str(bound)
    others = len([code for code in bound if code != "default"])
    return f"{bound.get('default', 'none')} ({others} languages have their own)"


def _clusters(receipts: Sequence[Receipt]) -> tuple[list[tuple[int, int]], list[tuple[str, int, str]]]:
    """Return (least copies, texts) and the largest clusters as (id, copies, start of the text)."""
    sizes: dict[int, int] = {}
    largest: list[tuple[str, int, str]] = []
    for receipt in receipts:
        for size, count in receipt.facts.get("cluster_sizes", ()):
            sizes[int(size)] = sizes.get(int(size), 0) + int(count)
        largest += [(str(ident), int(size), str(text)) for ident, size, text in receipt.facts.get("largest", ())]
    return sorted(sizes.items()), sorted(largest, key=lambda each: (-each[1], each[0]))
