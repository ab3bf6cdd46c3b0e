"""Confusable languages: which belong together, and three policies for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis import errors
from tamis.langid import codes

# separate: every language by itself, as the model says. merge: all members become their group's code.
# ambiguous: a member whose margin over another member is small becomes its group's code, the rest stay.
Policy = Literal["separate", "merge", "ambiguous"]
# One policy for all groups, or one for each group by its code, with "default" for those not named.
Policies = str | Mapping[str, str]

# Below this difference of score, which of two confusable languages a text is in is anybody's guess.
MARGIN = 0.3


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Return the members of each group by the code that stands for all of them."""
    return {row["group"]: tuple(row["members"].split()) for row in codes.read_table("groups.tsv")}


def group_of(code: str) -> str:
    """Return the code that stands for the confusable group of `code`, which is `code` itself outside all groups."""
    return _home().get(code, code)


def by_group(policies: Policies) -> dict[str, Policy]:
    """Return the policy of every group.

    Raises:
        UnknownNameError: there is no such policy or group; the hint names the nearest.
    """
    given = {"default": policies} if isinstance(policies, str) else dict(policies)
    for name, policy in given.items():
        if policy not in get_args(Policy):
            raise errors.unknown("confusable-language policy", str(policy), get_args(Policy))
        if name != "default" and name not in groups():
            raise errors.unknown("group of confusable languages", name, groups())
    rest = given.get("default", "separate")
    return {group: given.get(group, rest) for group in groups()}  # type: ignore[misc]


def answers(languages: Iterable[str], policies: Policies) -> frozenset[str]:
    """Return every code that a model of these languages can answer with under a policy."""
    chosen = by_group(policies)
    found = set()
    for code in languages:
        policy = chosen.get(group_of(code), "separate")
        found |= {code} if policy != "merge" else set()
        found |= {group_of(code)} if policy != "separate" else set()
    return frozenset(found)


def apply(identified: pa.StructArray, policy: Policies, *, margin: float = MARGIN) -> pa.LargeStringArray:
    """Return the language of each identified document under a policy; one answer per document, so totals add up.

    `identified` is what `Identifier.identify` returns.

    Raises:
        UnknownNameError: there is no such policy.
    """
    language, score, rival, rival_score = (
        identified.field(name) for name in ("language", "score", "rival", "rival_score")
    )
    return regrouped(language, score, rival, rival_score, policy, margin=margin)[0]


def regrouped(
    language: pa.Array,
    score: pa.Array,
    rival: pa.Array,
    rival_score: pa.Array,
    policy: Policies,
    *,
    margin: float = MARGIN,
) -> tuple[pa.LargeStringArray, npt.NDArray[np.float32]]:
    """Return (codes, scores) of identified documents under a policy.

    A document that gets its group's code gets its rival's probability too where that is of the same group: how far the
    two share what they hold between them is what the group leaves open.

    Raises:
        UnknownNameError: there is no such policy.
    """
    chosen = by_group(policy)
    scores = score.to_numpy(zero_copy_only=False).astype(np.float32)
    if set(chosen.values()) == {"separate"}:
        return language.cast(pa.large_string()), scores
    others = rival_score.to_numpy(zero_copy_only=False).astype(np.float32)
    told, home = _encoded(language)
    against, rival_home = _encoded(rival)
    names = sorted({*home, *rival_home, *told, *against})
    place = {name: index for index, name in enumerate(names)}
    said = np.array([place[name] for name in told], np.int64)
    own, other = (np.array([place[name] for name in each], np.int64) for each in (home, rival_home))
    rules = np.array([("separate", "merge", "ambiguous").index(chosen.get(name, "separate")) for name in names])
    kin = (own == other) & (said != own)
    close = kin & (scores - others < np.float32(margin))
    grouped = (said != own) & ((rules[own] == 1) | ((rules[own] == 2) & close))
    result = pa.array(names, pa.large_string()).take(pa.array(np.where(grouped, own, said)))
    return result, np.where(grouped & kin, np.minimum(scores + others, np.float32(1)), scores)


def _encoded(column: pa.Array) -> tuple[list[str], list[str]]:
    """The codes of a column and the groups they belong to, a null as the empty code."""
    found = pc.fill_null(column.cast(pa.large_string()), "").to_pylist()
    return found, [group_of(code) for code in found]


@cache
def _home() -> dict[str, str]:
    return {member: group for group, members in groups().items() for member in members}
