"""Summaries: what became of each language's text, from the ledger alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tamis.budget.ledger import Amount, Ledger

# The steps before a language is known, and the one that first sees it.
ASSIGNED = "language"


@dataclass(frozen=True, slots=True)
class LanguageSummary:
    """One language from identification to tokens: `found_*` was identified, `kept_*` is what the last step kept."""

    language: str
    found_documents: int
    found_tokens: int
    kept_documents: int
    kept_bytes: int
    kept_chars: int
    kept_tokens: int
    costliest_reason: str
    costliest_tokens: int

    def to_json(self) -> dict[str, str | int]:
        """Return the summary as JSON holds it."""
        return asdict(self)


def summarise(ledger: Ledger) -> list[LanguageSummary]:
    """Return one summary per identified language, the most kept tokens first, then by code."""
    if ASSIGNED not in ledger.steps:
        return []
    last = ledger.steps[-1]
    found = _by_language(ledger, ASSIGNED, "in")
    kept = _by_language(ledger, last, "kept")
    costs = _costs(ledger, ledger.steps[ledger.steps.index(ASSIGNED) :])
    rows = []
    for language, amount in found.items():
        left = kept.get(language, Amount())
        reason, tokens = max(costs.get(language, {"": 0}).items(), key=lambda item: (item[1], item[0]))
        rows.append(
            LanguageSummary(
                language,
                amount.documents,
                amount.tokens,
                left.documents,
                left.bytes,
                left.chars,
                left.tokens,
                reason,
                tokens,
            )
        )
    return sorted(rows, key=lambda row: (-row.kept_tokens, -row.found_tokens, row.language))


def _by_language(ledger: Ledger, step: str, outcome: str) -> dict[str, Amount]:
    found: dict[str, Amount] = {}
    for at, language, out, _, *numbers in ledger.rows():
        if at == step and out == outcome:
            found[language] = found.get(language, Amount()) + Amount(*numbers)
    return found


def _costs(ledger: Ledger, steps: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return tokens lost by language and "step: reason"."""
    costs: dict[str, dict[str, int]] = {}
    for step, language, reason, amount in ledger.reasons():
        if step in steps:
            of = costs.setdefault(language, {})
            of[f"{step}: {reason}"] = of.get(f"{step}: {reason}", 0) + amount.tokens
    return costs
