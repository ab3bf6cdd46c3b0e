"""Document separators: which special tokens stand before and after each document, asked for by name and checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.errors import BooksError, ConfigError, unknown
from tamis.tokenize.encode import Encoder
from tamis.tokenize.reference import Lengths

POLICIES = ("eos", "bos", "both", "none")


@dataclass(frozen=True, slots=True)
class Separator:
    """Ids put before and after every document; None puts nothing there."""

    before: int | None
    after: int | None

    @property
    def per_document(self) -> int:
        """Separators each document gets: 0, 1 or 2."""
        return (self.before is not None) + (self.after is not None)

    def apply(self, lengths: Lengths, ids: npt.NDArray[np.generic]) -> tuple[Lengths, npt.NDArray[np.generic]]:
        """Return lengths and ids of the documents with their separators.

        Raises BooksError unless exactly `per_document` separators per document stand in the result.
        """
        if not self.per_document:
            return lengths, ids
        wider = lengths + self.per_document
        ends = np.cumsum(wider)
        result = np.empty(int(ends[-1]) if len(ends) else 0, ids.dtype)
        text = np.ones(len(result), np.bool_)
        if self.before is not None:
            text[ends - wider] = False
            result[ends - wider] = self.before
        if self.after is not None:
            text[ends - 1] = False
            result[ends - 1] = self.after
        result[text] = ids
        self.check(len(lengths), result)
        return wider, result

    def count(self, ids: npt.NDArray[np.generic]) -> int:
        """Return how many separators stand in `ids`."""
        marks = {mark for mark in (self.before, self.after) if mark is not None}
        return sum(int(np.count_nonzero(ids == mark)) for mark in marks)

    def check(self, documents: int, ids: npt.NDArray[np.generic]) -> None:
        """Raise BooksError unless `ids` holds exactly the separators of so many documents."""
        found, expected = self.count(ids), documents * self.per_document
        if found != expected:
            raise BooksError(
                f"{found} separators for {documents} documents, expected {expected}.", "Report this defect."
            )


def separator(
    encoder: Encoder, policy: Separator | str = "eos", *, bos: str | None = None, eos: str | None = None
) -> Separator:
    """Return the separator of a policy: "eos", "bos", "both" or "none"; `bos` and `eos` name other special tokens.

    A Separator is returned as it is.

    Raises ConfigError where the tokenizer declares no such token, ModelError where a token named here is none of its
    special ones: an ordinary token would also occur inside documents.
    """
    if isinstance(policy, Separator):
        return policy
    if policy not in POLICIES:
        raise unknown("separator", policy, POLICIES)
    before = _mark(encoder, "bos", bos, encoder.bos_id) if policy in ("bos", "both") else None
    after = _mark(encoder, "eos", eos, encoder.eos_id) if policy in ("eos", "both") else None
    return Separator(before, after)


def _mark(encoder: Encoder, role: str, token: str | None, declared: int | None) -> int:
    if token is not None:
        return encoder.special_id(token)
    if declared is None:
        names = ", ".join(sorted(encoder.special_ids)[:10]) or "none at all"
        raise ConfigError(
            f"{encoder.path} declares no {role} token; its special tokens: {names}.",
            f'Name one with {role} = "…", or set separator = "none".',
        )
    return declared
