"""Compare: two runs on the same input, language by language and rule by rule, with the documents that moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.budget.evidence import SAMPLE_CHARS, Open, Receipt, files_of
from tamis.budget.ledger import Amount, Ledger
from tamis.budget.summary import summarise


@dataclass(frozen=True, slots=True)
class Change:
    """Tokens and documents of one key in the first run and in the second. A key is (language,) or (step, reason)."""

    key: tuple[str, ...]
    before: Amount
    after: Amount

    @property
    def tokens(self) -> int:
        """By how many tokens the second has more."""
        return self.after.tokens - self.before.tokens


@dataclass(frozen=True, slots=True)
class Moved:
    """A document that one run kept and the other did not: `now` is "kept" or "dropped", in the second run.

    `step` and `reason` are of the run that dropped it.
    """

    id: str
    language: str
    now: str
    step: str
    reason: str
    tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Changes by language and by rule, the largest in tokens first, and samples of documents that moved."""

    languages: tuple[Change, ...]
    rules: tuple[Change, ...]
    moved: tuple[Moved, ...]


def compare(before: Ledger, after: Ledger, moved: Iterable[Moved] = ()) -> Comparison:
    """Return what changed from one run's books to another's; keys that did not change are left out."""
    languages = _changes(_languages(before), _languages(after))
    rules = _changes(_rules(before), _rules(after))
    return Comparison(languages, rules, tuple(moved))


def _languages(ledger: Ledger) -> dict[tuple[str, ...], Amount]:
    return {
        (row.language,): Amount(row.kept_documents, row.kept_bytes, row.kept_chars, row.kept_tokens)
        for row in summarise(ledger)
    }


def _rules(ledger: Ledger) -> dict[tuple[str, ...], Amount]:
    sums: dict[tuple[str, ...], Amount] = {}
    for step, _, reason, amount in ledger.reasons():
        sums[step, reason] = sums.get((step, reason), Amount()) + amount
    return sums


def _changes(before: dict[tuple[str, ...], Amount], after: dict[tuple[str, ...], Amount]) -> tuple[Change, ...]:
    made = [Change(key, before.get(key, Amount()), after.get(key, Amount())) for key in sorted({*before, *after})]
    changed = [each for each in made if each.before != each.after]
    return tuple(sorted(changed, key=lambda each: (-abs(each.tokens), each.key)))


def movers(
    before: tuple[Sequence[Receipt], Open], after: tuple[Sequence[Receipt], Open], *, each: int = 3
) -> Iterator[Moved]:
    """Yield at most `each` documents per (language, now, step, reason) that one run kept and the other dropped.

    Documents are matched by id, so both runs must have read the same files by the same names. Ids of one unit are
    held at a time.
    """
    taken: dict[tuple[str, ...], int] = {}
    for now, kept_in, dropped_in in (("kept", after, before), ("dropped", before, after)):
        dropped = dict[str, list[str]]()
        for unit, path in files_of(dropped_in[0], "dropped"):
            dropped.setdefault(unit, []).append(path)
        for unit, path in files_of(kept_in[0], "documents"):
            for moved in _moved(now, path, kept_in[1], dropped.get(unit, ()), dropped_in[1]):
                key = (moved.language, moved.now, moved.step, moved.reason)
                taken[key] = taken.get(key, 0) + 1
                if taken[key] <= each:
                    yield moved


def _moved(now: str, path: str, open_kept: Open, dropped: Sequence[str], open_dropped: Open) -> Iterator[Moved]:
    """Yield the documents of one unit that are kept in `path` and dropped in the files of the other run."""
    reasons: dict[str, tuple[str, str]] = {}
    for each in dropped:
        with open_dropped(each) as file:
            for row in pq.read_table(file, columns=["id", "step", "reason"]).to_pylist():
                reasons[row["id"]] = (row["step"], row["reason"])
    columns = ["id", "language", "tokens", "text"]
    with open_kept(path) as file:
        for batch in pq.ParquetFile(file).iter_batches(columns=columns):
            starts = pc.utf8_slice_codeunits(batch.column("text"), 0, SAMPLE_CHARS)
            for row, ident in enumerate(batch.column("id").to_pylist()):
                if ident in reasons:
                    step, reason = reasons[ident]
                    language, tokens = (batch.column(name)[row].as_py() for name in ("language", "tokens"))
                    yield Moved(ident, language, now, step, reason, tokens, starts[row].as_py())
