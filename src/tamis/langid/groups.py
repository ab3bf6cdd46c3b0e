"""Confusable languages: which belong together, and what to do with them."""

from __future__ import annotations

from functools import cache

from tamis.langid import codes


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Return the members of each group by the code that stands for all of them."""
    return {row["group"]: tuple(row["members"].split()) for row in codes.read_table("groups.tsv")}


@cache
def _home() -> dict[str, str]:
    return {member: group for group, members in groups().items() for member in members}


def group_of(code: str) -> str:
    """Return the code that stands for the confusable group of `code`, which is `code` itself outside all groups."""
    return _home().get(code, code)
