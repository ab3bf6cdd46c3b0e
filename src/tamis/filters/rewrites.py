"""Rewrites: the third kind of step. They change text and judge nothing, so a rule never edits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.columns import as_text, byte_lengths
from tamis.filters.signal import Signal, fault, inputs_of

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """New texts, one per row, and by reason what was taken out of each: `(bytes, chars)`, shape (rows,) each.

    What no reason accounts for is booked under the rewrite's own name, so the books balance by construction. `known`
    are signals of the new texts that the rewrite can tell at once.
    """

    text: pa.Array
    removed: Mapping[str, tuple[Counts, Counts]] = field(default_factory=dict)
    known: Mapping[Signal, pa.Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A step that replaces the column `text`.

    `reads` are columns and signals, as for a signal; `compute` returns `Rewritten`, or just the new texts.
    """

    reason: str
    reads: tuple[str | Signal, ...]
    compute: Callable[..., Any]

    def apply(self, inputs: list[pa.Array], texts: pa.Array) -> Rewritten:
        """Return the new texts with a complete account of what was removed from `texts`; raises what `compute` does."""
        made = self.compute(*inputs)
        made = made if isinstance(made, Rewritten) else Rewritten(as_text(made))
        if len(made.text) != len(texts):
            raise ValueError(f"rewrite {self.reason!r} returned {len(made.text)} texts for {len(texts)} documents")
        books = self._account(as_text(texts), as_text(made.text), made.removed)
        return Rewritten(as_text(made.text), books, made.known)

    def apply_safely(self, inputs: list[pa.Array], texts: pa.Array) -> tuple[Rewritten, dict[int, str]]:
        """As `apply`; where that fails, row by row, with the traceback of each row that fails alone: its text stays."""
        if not len(texts):
            return Rewritten(as_text(texts), {self.reason: (np.zeros(0, np.int64), np.zeros(0, np.int64))}), {}
        try:
            return self.apply(inputs, texts), {}
        except Exception:
            pass
        made: list[Rewritten] = []
        faults: dict[int, str] = {}
        for row in range(len(texts)):
            try:
                made.append(self.apply([values.slice(row, 1) for values in inputs], texts.slice(row, 1)))
            except Exception:
                faults[row] = fault()
                made.append(Rewritten(as_text(texts.slice(row, 1))))
        return _joined(made), faults

    def _account(
        self, before: pa.Array, after: pa.Array, removed: Mapping[str, tuple[Counts, Counts]]
    ) -> dict[str, tuple[Counts, Counts]]:
        books = dict(removed)
        rest_bytes, rest_chars = books.pop(self.reason, (0, 0))
        rest_bytes = rest_bytes + byte_lengths(before) - byte_lengths(after) - sum((b for b, _ in removed.values()), 0)
        rest_chars = rest_chars + _chars(before) - _chars(after) - sum((c for _, c in removed.values()), 0)
        return books | {self.reason: (rest_bytes, rest_chars)}


def rewrite(reason: str, function: Callable[..., Any]) -> Rewrite:
    """Return the rewrite of a function whose parameters name the columns it reads (usually just `text`)."""
    return Rewrite(reason, inputs_of(function), function)


def _chars(texts: pa.Array) -> Counts:
    counts: Counts = pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return counts


def _joined(pieces: list[Rewritten]) -> Rewritten:
    """Join the accounts of single rows; a reason that a row does not name took nothing from it."""
    nothing = (np.zeros(1, np.int64), np.zeros(1, np.int64))
    reasons = dict.fromkeys(reason for piece in pieces for reason in piece.removed)
    removed = {
        reason: (
            np.concatenate([piece.removed.get(reason, nothing)[0] for piece in pieces]),
            np.concatenate([piece.removed.get(reason, nothing)[1] for piece in pieces]),
        )
        for reason in reasons
    }
    return Rewritten(pa.concat_arrays([piece.text for piece in pieces]), removed)
