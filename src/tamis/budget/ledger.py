"""The ledger: documents, bytes, characters and tokens by step, language and reason; unbalanced books fail the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.errors import BooksError
from tamis.schema import LEDGER

MEASURES = ("documents", "bytes", "chars", "tokens")
OUTCOMES = ("in", "kept", "dropped")


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity of text in the four measures; `documents` is 0 for what a step cut out of documents it kept."""

    documents: int = 0
    bytes: int = 0
    chars: int = 0
    tokens: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            self.documents + other.documents,
            self.bytes + other.bytes,
            self.chars + other.chars,
            self.tokens + other.tokens,
        )

    def __sub__(self, other: Amount) -> Amount:
        return Amount(
            self.documents - other.documents,
            self.bytes - other.bytes,
            self.chars - other.chars,
            self.tokens - other.tokens,
        )


Key = tuple[str, str, str, str]  # step, language, outcome, reason
Row = tuple[str, str, str, str, int, int, int, int]


class Ledger:
    """Amounts by (step, language, outcome, reason).

    For every step and language `in = kept + Σ dropped` must hold in each measure. Steps keep the order in
    which they were first booked.
    """

    def __init__(self, steps: Sequence[str] = ()) -> None:
        # Lists of the four measures, added to in place: a unit books each of its pages five times.
        self._amounts: dict[Key, list[int]] = {}
        self._steps: dict[str, None] = dict.fromkeys(steps)

    def book(self, step: str, language: str, outcome: str, amount: Amount, reason: str = "") -> None:
        """Add an amount; `reason` is given for everything `dropped`, and for what is `kept` where a step sorts it."""
        self._book((step, language, outcome, reason), _numbers(amount))

    def _book(self, key: Key, numbers: Sequence[int]) -> None:
        held = self._amounts.get(key)
        if held is None:
            step, _, outcome, reason = key
            if outcome not in OUTCOMES or (outcome == "dropped" and not reason) or (outcome == "in" and reason):
                raise ValueError(f"no such entry: outcome {outcome!r} with reason {reason!r}")
            self._steps.setdefault(step)
            held = self._amounts[key] = [0, 0, 0, 0]
        for index, number in enumerate(numbers):
            held[index] += number

    def book_batch(self, step: str, outcome: str, batch: pa.RecordBatch, *, by_reason: bool = False) -> None:
        """Add the rows of a batch by their `language` and, for drops or where asked for, `reason` columns, measured by
        the columns `bytes`, `chars` and `tokens`."""
        keys = ["language", "reason"] if outcome == "dropped" or by_reason else ["language"]
        self._steps.setdefault(step)
        if batch.num_rows == 0:
            return
        table = pa.table({name: batch.column(name) for name in [*keys, *MEASURES[1:]]})
        # Batches are small: waking threads for one costs more than adding it up.
        sums = table.group_by(keys, use_threads=False).aggregate(
            [([], "count_all"), *((name, "sum") for name in MEASURES[1:])]
        )
        for row in sums.to_pylist():
            amount = Amount(row["count_all"], *(row[f"{name}_sum"] for name in MEASURES[1:]))
            self.book(step, row["language"], outcome, amount, row.get("reason", ""))

    def merge(self, rows: Iterable[Sequence[str | int]]) -> None:
        """Add entries in the form `rows` returns them."""
        for step, language, outcome, reason, *amount in rows:
            self._book((str(step), str(language), str(outcome), str(reason)), [int(number) for number in amount])

    def rows(self) -> list[Row]:
        """Return every entry, by step in booking order, then language, outcome (in, kept, dropped) and reason."""
        order = {step: index for index, step in enumerate(self._steps)}
        keys = sorted(self._amounts, key=lambda key: (order[key[0]], key[1], OUTCOMES.index(key[2]), key[3]))
        return [(*key, *_four(self._amounts[key])) for key in keys]

    @property
    def steps(self) -> list[str]:
        """The steps, in the order in which they were first booked."""
        return list(self._steps)

    def total(self, step: str, outcome: str, *, language: str | None = None, reason: str | None = None) -> Amount:
        """Return the sum over the entries that match."""
        found = [
            numbers
            for (at, lang, out, why), numbers in self._amounts.items()
            if at == step and out == outcome and language in (None, lang) and reason in (None, why)
        ]
        return Amount(*map(sum, zip(*found, strict=True)))

    def languages(self, step: str) -> list[str]:
        """Return the languages a step has entries for, sorted."""
        return sorted({language for at, language, _, _ in self._amounts if at == step})

    def reasons(self) -> Iterator[tuple[str, str, str, Amount]]:
        """Yield (step, language, reason, amount) for every drop."""
        for step, language, outcome, reason, *amount in self.rows():
            if outcome == "dropped":
                yield step, language, reason, Amount(*amount)

    def check(self) -> None:
        """Raise BooksError unless every step balances for every language, in every measure."""
        balances: dict[tuple[str, str], list[int]] = {}
        for (step, language, outcome, _), numbers in self._amounts.items():
            balance = balances.setdefault((step, language), [0, 0, 0, 0])
            sign = 1 if outcome == "in" else -1
            for index, number in enumerate(numbers):
                balance[index] += sign * number
        for (step, language), balance in balances.items():
            if any(balance):
                raise BooksError(
                    f"The ledger does not balance at step {step!r}, {language!r}: "
                    f"in − kept − dropped = {Amount(*balance)}.",
                    "This is a fault in Tamis or in a filter that edits text; nothing of this unit was committed.",
                )

    def check_flow(self, links: Mapping[str, str], measures: Mapping[str, Sequence[str]]) -> None:
        """Raise BooksError unless what each step kept is what the next one took in.

        `links` maps a step to the one it hands to; `measures` names, by receiving step, what both have counted
        (default: all four).
        """
        for giver, taker in links.items():
            kept, taken = self.total(giver, "kept"), self.total(taker, "in")
            for measure in measures.get(taker, MEASURES):
                if getattr(kept, measure) != getattr(taken, measure):
                    raise BooksError(
                        f"Step {giver!r} handed on {getattr(kept, measure)} {measure}, "
                        f"but {taker!r} took in {getattr(taken, measure)}.",
                        "Documents were lost or counted twice between the two steps.",
                    )

    def table(self) -> pa.Table:
        """Return the ledger as a table of schema `tamis.schema.LEDGER`."""
        rows = self.rows()
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [() for _ in LEDGER]
        return pa.table([pa.array(c, f.type) for c, f in zip(columns, LEDGER, strict=True)], schema=LEDGER)


def _numbers(amount: Amount) -> tuple[int, int, int, int]:
    return amount.documents, amount.bytes, amount.chars, amount.tokens


def _four(numbers: list[int]) -> tuple[int, int, int, int]:
    documents, size, chars, tokens = numbers
    return documents, size, chars, tokens


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `weights`, in whole numbers that sum to `total` exactly.

    Largest remainders first, ties to the earlier weight; all to the first where every weight is 0.
    """
    whole = sum(weights)
    if whole == 0:
        return [total if index == 0 else 0 for index in range(len(weights))]
    sign, size = (-1, -total) if total < 0 else (1, total)
    shares = [size * weight // whole for weight in weights]
    remainders = np.array([-(size * weight % whole) for weight in weights], dtype=np.int64)
    for index in np.argsort(remainders, kind="stable")[: size - sum(shares)]:
        shares[index] += 1
    return [sign * share for share in shares]


def from_table(table: pa.Table) -> Ledger:
    """Return the ledger a table of schema `tamis.schema.LEDGER` holds."""
    ledger = Ledger()
    names = [field.name for field in LEDGER]
    ledger.merge([tuple(row[name] for name in names) for row in table.select(names).to_pylist()])
    return ledger


def amounts(batch: pa.RecordBatch) -> Amount:
    """Return the amount a batch with columns `bytes`, `chars` and `tokens` holds."""
    return Amount(batch.num_rows, *(pc.sum(batch.column(name)).as_py() or 0 for name in MEASURES[1:]))
