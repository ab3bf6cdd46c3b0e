"""Alarms: languages that a step treats unlike the others, which is how a rule made for English shows itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from tamis.budget.ledger import Ledger
from tamis.budget.summary import ASSIGNED
from tamis.schema import UNDETERMINED

# Below this many documents a yield is chance; below this many languages there is no "others".
LEAST_DOCUMENTS = 20
LEAST_LANGUAGES = 3
RED_LINE = 0.5
EXTRACT = "extract"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A language's yield at a step, a share in [0, 1], far below the median over languages."""

    step: str
    language: str
    share: float
    median: float
    documents: int

    def __str__(self) -> str:
        return (
            f"{self.step} keeps {self.share:.0%} of {self.documents} documents in {self.language}, "
            f"less than half of what it keeps of other languages (median {self.median:.0%})"
        )


def alarms(ledger: Ledger) -> list[Alarm]:
    """Return the languages whose yield at a step is below half the median over languages, in step order.

    Steps before identification know no language, but extraction books a page without main text under the language of
    its visible text: what it kept of a language is what identification then finds. The language step drops what nobody
    asked for.
    """
    steps = ledger.steps
    if ASSIGNED not in steps:
        return []
    found = list(_of_step(EXTRACT, *_extracted(ledger)))
    for step in steps[steps.index(ASSIGNED) + 1 :]:
        found += _of_step(step, _documents(ledger, step, "in"), _documents(ledger, step, "kept"))
    return found


def _documents(ledger: Ledger, step: str, outcome: str) -> dict[str, int]:
    return {code: ledger.total(step, outcome, language=code).documents for code in ledger.languages(step)}


def _extracted(ledger: Ledger) -> tuple[dict[str, int], dict[str, int]]:
    """Return (pages by language, those with main text)."""
    kept, lost = _documents(ledger, ASSIGNED, "in"), _documents(ledger, EXTRACT, "dropped")
    return {code: kept.get(code, 0) + lost.get(code, 0) for code in sorted({*kept, *lost})}, kept


def _of_step(step: str, taken: Mapping[str, int], kept: Mapping[str, int]) -> Iterator[Alarm]:
    shares = {
        code: kept.get(code, 0) / documents
        for code, documents in taken.items()
        if documents >= LEAST_DOCUMENTS and not code.startswith((UNDETERMINED, "zxx"))
    }
    if len(shares) < LEAST_LANGUAGES:
        return
    middle = median(shares.values())
    for code, share in shares.items():
        if share < RED_LINE * middle:
            yield Alarm(step, code, share, middle, taken[code])


def faults(ledger: Ledger) -> list[str]:
    """Return a sentence for each signal or rewrite of a filter that raised, and for how many documents."""
    failed: Counter[tuple[str, str]] = Counter()
    for step, _, reason, amount in ledger.reasons():
        if reason.startswith("error:"):
            failed[step, reason.removeprefix("error:")] += amount.documents
    return [
        f"{name!r} raised on {count:,} documents at step {step!r}, which were dropped; the tracebacks are in dropped/, "
        "column detail."
        for (step, name), count in sorted(failed.items())
    ]
