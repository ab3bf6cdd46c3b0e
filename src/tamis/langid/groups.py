"""Confusable languages: which belong together, and three policies for them."""

from __future__ import annotations

from functools import cache
from typing import Literal, get_args

import numpy as np
import pyarrow as pa

from tamis import errors
from tamis.langid import codes

# separate: every language by itself, as the model says. merge: all members become their group's code.
# ambiguous: a member whose margin over another member is small becomes its group's code, the rest stay.
Policy = Literal["separate", "merge", "ambiguous"]

# Below this difference of score, which of two confusable languages a text is in is anybody's guess.
MARGIN = 0.3


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Return the members of each group by the code that stands for all of them."""
    return {row["group"]: tuple(row["members"].split()) for row in codes.read_table("groups.tsv")}


def group_of(code: str) -> str:
    """Return the code that stands for the confusable group of `code`, which is `code` itself outside all groups."""
    return _home().get(code, code)


def apply(identified: pa.StructArray, policy: Policy, *, margin: float = MARGIN) -> pa.LargeStringArray:
    """Return the language of each identified document under a policy; one answer per document, so totals add up.

    `identified` is what `Identifier.identify` returns.

    Raises:
        UnknownNameError: there is no such policy.
    """
    if policy not in get_args(Policy):
        raise errors.unknown("confusable-language policy", policy, get_args(Policy))
    said = identified.field("language").to_pylist()
    if policy == "separate":
        return identified.field("language")
    if policy == "merge":
        return pa.array([group_of(code) for code in said], pa.large_string())
    gap = np.subtract(identified.field("score").to_numpy(), identified.field("rival_score").to_numpy())
    rows = zip(said, identified.field("rival").to_pylist(), gap.tolist(), strict=True)
    return pa.array([_ambiguous(code, rival, gap < margin) for code, rival, gap in rows], pa.large_string())


def _ambiguous(code: str, rival: str | None, close: bool) -> str:
    home = group_of(code)
    return home if close and rival is not None and home == group_of(rival) and home != code else code


@cache
def _home() -> dict[str, str]:
    return {member: group for group, members in groups().items() for member in members}
