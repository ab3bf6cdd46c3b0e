"""Buckets: how much of each language's kept text lies in the head, middle and tail of its model's perplexity."""

from __future__ import annotations

from collections.abc import Mapping

from tamis.budget.ledger import Amount, Ledger
from tamis.budget.markup import table

STEP = "buckets"
# `all` is of languages without a model, `unscored` of documents too short to score.
NAMES = ("head", "middle", "tail", "all", "unscored")


def buckets(ledger: Ledger) -> dict[str, dict[str, Amount]]:
    """Return what is kept by language and bucket, every bucket of NAMES; empty where nothing was scored."""
    found: dict[str, dict[str, Amount]] = {}
    for step, language, outcome, name, *amount in ledger.rows():
        if step == STEP and outcome == "kept":
            found.setdefault(language, dict.fromkeys(NAMES, Amount()))[name] = Amount(*amount)
    return found


def to_json(found: Mapping[str, Amount]) -> dict[str, int]:
    """Return one language's buckets as JSON holds them: documents and tokens of each."""
    return {
        f"{name}_{measure}": getattr(amount, measure)
        for name, amount in found.items()
        for measure in ("documents", "tokens")
    }


def buckets_table(ledger: Ledger) -> str:
    """Return the report's table of tokens by language and bucket; nothing where nothing was scored."""
    if STEP not in ledger.steps:
        return ""
    rows: list[list[str | int]] = [
        [code, *(found[name].tokens for name in NAMES), sum(each.tokens for each in found.values())]
        for code, found in sorted(buckets(ledger).items(), key=lambda item: -sum(a.tokens for a in item[1].values()))
    ]
    columns = ["Language", *(name.capitalize() for name in NAMES), "Tokens"]
    return table("buckets", "Kept tokens by perplexity; all: no model of the language", columns, rows)
