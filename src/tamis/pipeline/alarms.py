"""Alarms: languages that a step treats unlike the others, which is how a rule made for English shows itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from tamis.budget.ledger import Ledger
from tamis.budget.summary import ASSIGNED
from tamis.schema import UNDETERMINED

# Below this many documents a yield is chance; below this many languages there is no "others".
LEAST_DOCUMENTS = 20
LEAST_LANGUAGES = 3
RED_LINE = 0.5


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

    Steps before identification know no language; the language step drops what nobody asked for.
    """
    steps = ledger.steps
    judged = steps[steps.index(ASSIGNED) + 1 :] if ASSIGNED in steps else []
    return [alarm for step in judged for alarm in _of_step(ledger, step)]


def _of_step(ledger: Ledger, step: str) -> Iterator[Alarm]:
    taken = {code: ledger.total(step, "in", language=code).documents for code in ledger.languages(step)}
    shares = {
        code: ledger.total(step, "kept", language=code).documents / documents
        for code, documents in taken.items()
        if documents >= LEAST_DOCUMENTS and not code.startswith((UNDETERMINED, "zxx"))
    }
    if len(shares) < LEAST_LANGUAGES:
        return
    middle = median(shares.values())
    for code, share in shares.items():
        if share < RED_LINE * middle:
            yield Alarm(step, code, share, middle, taken[code])
