"""Charts: the rows each chart of the report page draws. Their Vega-Lite specifications lie beside this file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tamis.budget import scaling
from tamis.budget.extrapolate import Estimate
from tamis.budget.ledger import Amount, Ledger
from tamis.budget.yields import Outlook, Yield

Rows = list[dict[str, Any]]

# Reasons drawn; the table has all.
MAX_REASONS = 40


def datasets(
    ledger: Ledger, yields: Sequence[Yield], clusters: Sequence[tuple[int, int]], outlook: Outlook | None
) -> dict[str, dict[str, Rows]]:
    """Return the named data sets of every chart."""
    rungs = [{"tokens": rung.tokens, "label": f"{rung.parameters / 1e9:g}B parameters"} for rung in scaling.ladder()]
    return {
        "ladder": {"rows": list(_ladder(yields)), "rungs": rungs},
        "yield": {"rows": list(_yield(yields))},
        "funnel": {"rows": list(_funnel(ledger))},
        "domains": {"rows": list(_domains(yields))},
        "duplicates": {"rows": [{"size": size, "clusters": count} for size, count in clusters if count]},
        "growth": {"rows": list(_growth(yields, outlook))},
        "drops": {"rows": _drops(ledger)},
    }


def _ladder(yields: Sequence[Yield]) -> Iterator[dict[str, Any]]:
    for each in yields:
        measures: tuple[tuple[str, Amount, Estimate | None], ...] = (
            ("medium", each.medium, each.year_medium or each.crawl_medium),
            ("high", each.high, each.year_high or each.crawl_high),
        )
        for quality, amount, estimate in measures:
            value = estimate.value if estimate else amount.tokens
            if value > 0:
                low, high = (max(estimate.low, 1), estimate.high) if estimate else (value, value)
                yield {"language": each.language, "quality": quality, "tokens": value, "low": low, "high": high}


def _yield(yields: Sequence[Yield]) -> Iterator[dict[str, Any]]:
    for each in yields:
        parts = {
            "high": each.high.tokens,
            "medium only": each.medium.tokens - each.high.tokens,
            "dropped": each.summary.found_tokens - each.medium.tokens,
        }
        for order, (part, tokens) in enumerate(parts.items()):
            yield {"language": each.language, "part": part, "tokens": tokens, "order": order}


def _funnel(ledger: Ledger) -> Iterator[dict[str, Any]]:
    for step in ledger.steps:
        taken, kept = ledger.total(step, "in").documents, ledger.total(step, "kept").documents
        yield {"step": step, "outcome": "kept", "amount": kept, "order": 0}
        yield {"step": step, "outcome": "dropped", "amount": taken - kept, "order": 1}


def _domains(yields: Sequence[Yield]) -> Iterator[dict[str, Any]]:
    for each in yields:
        if each.domains.count and each.high.tokens:
            yield {
                "language": each.language,
                "tokens": each.high.tokens,
                "effective": each.domains.effective,
                "share": each.domains.top_share,
                "site": each.domains.top[0][0],
                "flag": "; ".join(each.domains.flags) or "many sites",
            }


def _growth(yields: Sequence[Yield], outlook: Outlook | None) -> Iterator[dict[str, Any]]:
    if outlook is None or not outlook.curve:
        return
    for files, tokens in outlook.curve:
        yield {"files": files, "tokens": tokens, "kind": "read"}
    estimates = [each.crawl_high for each in yields if each.crawl_high is not None]
    last = outlook.curve[-1]
    yield {"files": last[0], "tokens": last[1], "kind": "estimated"}
    yield {"files": outlook.crawl, "tokens": sum(each.value for each in estimates), "kind": "estimated"}


def _drops(ledger: Ledger) -> Rows:
    sums: dict[tuple[str, str], Amount] = {}
    for step, _, reason, amount in ledger.reasons():
        sums[step, reason] = sums.get((step, reason), Amount()) + amount
    rows = [
        {"step": step, "reason": reason, "tokens": amount.tokens, "documents": amount.documents}
        for (step, reason), amount in sums.items()
        if amount.tokens
    ]
    return sorted(rows, key=lambda row: (-int(str(row["tokens"])), str(row["step"]), str(row["reason"])))[:MAX_REASONS]
