"""Families: functions that return a Chain, registered by name, whose bounds say where they come from."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ParamSpec

from tamis.bounds import plain
from tamis.filters.chain import Chain
from tamis.filters.registry import add_chain
from tamis.filters.rule import Rule

P = ParamSpec("P")


ENGLISH = ("eng_Latn",)


def family(source: str, *, english: Sequence[str] = ()) -> Callable[[Callable[P, Chain]], Callable[P, Chain]]:
    """Register a function that returns a Chain as a family of filters, under the function's name.

    `source` names where its default bounds come from; `english` the variants whose definitions know English alone
    ("*" for every one), which marks their rules. In the listing of a chain, a bound that differs from the
    family's default (for the same variant) has the origin "given".
    """

    def register(make: Callable[P, Chain]) -> Callable[P, Chain]:
        @functools.wraps(make)
        def made(*args: P.args, **kwargs: P.kwargs) -> Chain:
            chain = make(*args, **kwargs)
            usual = _usual(make, kwargs)
            name = make.__name__
            only = ENGLISH if "*" in english or kwargs.get("variant", "tamis") in english else ()
            steps = [
                replace(_signed(step, usual, source, name), languages=only) if isinstance(step, Rule) else step
                for step in chain.steps
            ]
            return Chain(*steps, name=name)

        add_chain(make.__name__, made)
        return made

    return register


def _usual(make: Callable[..., Chain], kwargs: dict[str, Any]) -> dict[str, Rule]:
    """Return the family's rules with the same options (variant, lists, tokenizers) and every bound at its default."""
    kinds = {p.name: str(p.annotation) for p in inspect.signature(make).parameters.values()}
    options = {key: value for key, value in kwargs.items() if "Bound" not in kinds.get(key, "")}
    return {step.reason: step for step in make(**options).steps if isinstance(step, Rule)}


def _signed(rule: Rule, usual: dict[str, Rule], source: str, name: str) -> Rule:
    default = usual.get(rule.reason)
    same = default is not None and _bounds(default) == _bounds(rule)
    return replace(rule, origin=source if same else "given", family=name)


def _bounds(rule: Rule) -> str:
    return repr((plain(rule.at_least), plain(rule.at_most)))
