"""Chains: rules and rewrites in order. The first that fails is the reason; later ones see survivors only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import schema
from tamis.bounds import Bound
from tamis.columns import put
from tamis.filters.definition import fingerprint
from tamis.filters.docs import Docs, Rows
from tamis.filters.rewrites import Rewrite, Rewritten
from tamis.filters.rule import Rule

REMOVED = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("reason", schema.TEXT, nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("chars", pa.int64(), nullable=False),
    ]
)
VERDICT = pa.schema(
    [
        pa.field("reason", schema.TEXT),
        pa.field("value", pa.float64()),
        pa.field("threshold", pa.float64()),
        pa.field("detail", schema.TEXT),
    ]
)


@dataclass(frozen=True, slots=True)
class Sifted:
    """What a chain made of one batch; rows keep their input order everywhere.

    `kept`: the input columns, `text` possibly rewritten, and one column per judged signal.
    `dropped`: the input columns as they came in, with `reason`, `value`, `threshold` (the bound missed) and `detail`.
    `removed`: what rewrites took out of the kept documents (`row` counts input rows), by reason, in bytes and code
    points: for every kept document, input = output + Σ removed.
    """

    kept: pa.RecordBatch
    dropped: pa.RecordBatch
    removed: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a chain's listing: which family's rule drops for which reason outside which bounds, and why those."""

    rule: str
    reason: str
    at_least: Bound
    at_most: Bound
    origin: str


@dataclass(slots=True)
class _Drops:
    """The verdicts of one batch as they fall, in pieces."""

    rows: list[Rows] = field(default_factory=list)
    verdicts: list[pa.RecordBatch] = field(default_factory=list)

    def add(
        self, rows: Rows, reason: list[str], value: object, threshold: object, detail: Sequence[str | None]
    ) -> None:
        self.rows.append(rows)
        columns = [
            pa.array(reason, schema.TEXT),
            pa.array(value, pa.float64(), from_pandas=True),
            pa.array(threshold, pa.float64(), from_pandas=True),
            pa.array(detail, schema.TEXT),
        ]
        self.verdicts.append(pa.RecordBatch.from_arrays(columns, schema=VERDICT))


class Chain:
    """Filters in order, itself a filter: `Chain(gopher_quality(), keep(digit_share, at_most=0.2), name="mine")`.

    Chains nest; a nested chain's filters are taken over in place. A chain is picklable (with cloudpickle also when its
    signals are lambdas, closures or classes of a script) and does the same to a document in whatever batch it stands.
    """

    __slots__ = ("_fingerprint", "name", "steps")

    name: str
    steps: tuple[Rule | Rewrite, ...]
    _fingerprint: str | None

    def __init__(self, *filters: Rule | Rewrite | Chain, name: str | None = None) -> None:
        self.steps = tuple(_flat(filters))
        nested = [each.name for each in filters if isinstance(each, Chain)]
        self.name = name or (nested[0] if len(nested) == len(filters) == 1 else "filters")
        self._fingerprint = None

    @property
    def fingerprint(self) -> str:
        """What tells one definition from another; made when first asked for, which most chains within chains never
        are."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self.steps)
        return self._fingerprint

    def __getstate__(self) -> tuple[str, tuple[Rule | Rewrite, ...], str]:
        # Another process may not have the sources of functions, which are part of a fingerprint.
        return self.name, self.steps, self.fingerprint

    def __setstate__(self, state: tuple[str, tuple[Rule | Rewrite, ...], str]) -> None:
        self.name, self.steps, self._fingerprint = state

    def __repr__(self) -> str:
        return f"Chain({', '.join(step.reason for step in self.steps)}, name={self.name!r})"

    def __call__(self, batch: pa.RecordBatch) -> Sifted:
        """Return what is kept, dropped and removed of a batch.

        Raises `UnknownNameError` when the batch lacks a column that is read. An exception in a signal or rewrite drops
        the documents it concerns, with the reason `error:<name>` and the traceback as detail.
        """
        return self._sift(Docs(batch))

    def _sift(self, docs: Docs) -> Sifted:
        batch, drops, removed = docs.batch, _Drops(), list[pa.RecordBatch]()
        for step in self.steps:
            if isinstance(step, Rewrite):
                removed.append(_rewrite(step, docs, drops))
            else:
                _judge(step, docs, drops)
        docs.compact()
        sifted = Sifted(self._kept(docs), _dropped(batch, drops), _removed(removed, docs.rows))
        docs.restart(sifted.kept)
        return sifted

    @property
    def columns(self) -> pa.Schema:
        """The signal columns that `kept` gains, in order."""
        judged = {step.reason: step.signal.type for step in self.steps if isinstance(step, Rule)}
        return pa.schema(judged.items())

    def rules(self) -> list[Listed]:
        """Return every rule with its bounds and their origin, in the order they are applied."""
        return [
            Listed(step.family or self.name, step.reason, step.at_least, step.at_most, step.origin)
            for step in self.steps
            if isinstance(step, Rule)
        ]

    def _kept(self, docs: Docs) -> pa.RecordBatch:
        kept = docs.batch
        for added in self.columns:
            # A signal that no row lived to see has no values, but its column is there all the same.
            kept = put(kept, added.name, docs.judged.get(added.name, pa.nulls(kept.num_rows, added.type)))
        return kept


def sift(chains: Sequence[Chain], batch: pa.RecordBatch) -> list[Sifted]:
    """Return what each chain makes of what the one before kept: as calling them in turn, but measuring texts once."""
    docs = Docs(batch)
    return [chain._sift(docs) for chain in chains]


def _flat(filters: tuple[Rule | Rewrite | Chain, ...]) -> Iterator[Rule | Rewrite]:
    for each in filters:
        if isinstance(each, Chain):
            for step in each.steps:
                yield replace(step, family=step.family or each.name) if isinstance(step, Rule) else step
        elif isinstance(each, (Rule, Rewrite)):
            yield each
        else:
            raise TypeError(f"a chain takes rules, rewrites and chains, not {type(each).__name__}; use keep(…)")


def _judge(rule: Rule, docs: Docs, drops: _Drops) -> None:
    judged = rule.judge(docs)
    _drop_faults(docs, drops, docs.faults(rule.signal))
    failed = docs.alive & ~judged.passed
    docs.judged[rule.reason] = docs.measure(rule.signal)
    if failed.any():
        rows = docs.rows[failed]
        nothing = [None] * len(rows)
        drops.add(rows, [rule.reason] * len(rows), judged.value[failed], judged.threshold[failed], nothing)
        docs.drop(failed)


def _drop_faults(docs: Docs, drops: _Drops, faults: dict[int, tuple[str, str]]) -> None:
    rows = sorted(row for row in faults if docs.alive[row])
    if not rows:
        return
    nothing = [None] * len(rows)
    reasons = [f"error:{faults[row][0]}" for row in rows]
    drops.add(docs.rows[rows], reasons, nothing, nothing, [faults[row][1] for row in rows])
    docs.drop(np.isin(np.arange(len(docs.rows)), rows))


def _rewrite(step: Rewrite, docs: Docs, drops: _Drops) -> pa.RecordBatch:
    docs.compact()
    inputs = docs.inputs(step.reads)
    for read in step.reads:
        if not isinstance(read, str):
            _drop_faults(docs, drops, docs.faults(read))
    made, faults = step.apply_safely(inputs, docs.batch.column("text"))
    _drop_faults(docs, drops, {row: (step.reason, text) for row, text in faults.items()})
    docs.replace_text(made.text, made.known)
    return _account(made, docs.rows)


def _account(made: Rewritten, rows: Rows) -> pa.RecordBatch:
    pieces: list[tuple[Rows, list[str], npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for reason, (taken_bytes, taken_chars) in made.removed.items():
        some = (taken_bytes != 0) | (taken_chars != 0)
        pieces.append((rows[some], [reason] * int(some.sum()), taken_bytes[some], taken_chars[some]))
    columns = [
        pa.array(np.concatenate([piece[0] for piece in pieces]), pa.int64()),
        pa.array([reason for piece in pieces for reason in piece[1]], schema.TEXT),
        pa.array(np.concatenate([piece[2] for piece in pieces]), pa.int64()),
        pa.array(np.concatenate([piece[3] for piece in pieces]), pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=REMOVED)


def _dropped(batch: pa.RecordBatch, drops: _Drops) -> pa.RecordBatch:
    rows = np.concatenate([*drops.rows, np.zeros(0, np.int64)])
    order = np.argsort(rows, kind="stable")
    verdicts = pa.Table.from_batches(drops.verdicts, VERDICT).combine_chunks()
    dropped = batch.take(pa.array(rows[order]))
    for name in VERDICT.names:
        values = verdicts.column(name).combine_chunks()
        dropped = put(dropped, name, values.take(pa.array(order)))
    return dropped


def _removed(pieces: list[pa.RecordBatch], survivors: Rows) -> pa.RecordBatch:
    """A dropped document is booked as dropped, whole; what was first taken out of it counts there, not here."""
    table = pa.Table.from_batches(pieces, REMOVED).combine_chunks()
    rows = table.column("row").to_numpy()
    table = table.filter(pa.array(np.isin(rows, survivors))).sort_by("row").combine_chunks()
    found = table.to_batches()
    return found[0] if found else pa.RecordBatch.from_pylist([], schema=REMOVED)
