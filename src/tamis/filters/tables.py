"""Tables: the `[[filters]]` of a recipe, made into chains."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tamis import errors
from tamis.bounds import read
from tamis.filters.chain import Chain
from tamis.filters.registry import find_chain
from tamis.filters.rule import Rule, keep
from tamis.filters.signal import Signal
from tamis.filters.thresholds import fitted


def build(
    specs: Sequence[Mapping[str, Any]],
    resolve_language: Callable[[str], str] = str,
    given: Mapping[str, Signal] | None = None,
) -> list[Chain]:
    """Return one Chain for each `[[filters]]` table of a recipe.

    A table names a `chain` (other keys are its parameters) or a signal to `keep` (with `at_least`, `at_most`), and
    may set `name`, and for a chain `thresholds` (a file of `tamis train thresholds`, or "shipped") and `force`
    (judge languages that the rules do not know; see `require_languages`). A bound given as a
    table is per language; its codes are resolved by `resolve_language`. `given` are signals by name that a table may
    `keep` beside the registered ones, such as those of a recipe's own models.
    Raises `ConfigError` on unknown chains, signals and parameters, naming the nearest valid one.
    """
    return [_build(dict(spec), resolve_language, given or {}) for spec in specs]


def require_languages(chains: Sequence[Chain], languages: Sequence[str] | None) -> None:
    """Raise ConfigError where a rule that knows some languages alone would judge another.

    `languages` are those that the chains will see, None for any. A recipe's table with `force = true` is exempt.
    """
    for chain in chains:
        for rule in chain.steps:
            if not isinstance(rule, Rule) or not rule.languages:
                continue
            others = ["every language"] if languages is None else sorted(set(languages) - set(rule.languages))
            if others:
                raise errors.ConfigError(
                    f"{rule.family or chain.name}: {rule.reason} knows {', '.join(rule.languages)} alone "
                    f"and would judge {', '.join(others)}.",
                    "Keep those languages only ([langid] keep), take the default variant, or set force = true.",
                )


def _build(spec: dict[str, Any], resolve_language: Callable[[str], str], given: Mapping[str, Signal]) -> Chain:
    if ("chain" in spec) == ("keep" in spec):
        raise errors.ConfigError(f"A [[filters]] table needs either `chain` or `keep`: {spec}.", "Give exactly one.")
    title = spec.pop("name", None)
    if "keep" in spec:
        what = str(spec.pop("keep"))
        values = _arguments(f"keep = {what!r}", {"at_least": "Bound", "at_most": "Bound"}, spec, resolve_language)
        if not values:
            raise errors.ConfigError(f"keep = {what!r} has no bound.", "Give `at_least`, `at_most` or both.")
        rule = keep(given.get(what, what), at_least=values.get("at_least"), at_most=values.get("at_most"))
        return Chain(rule, name=title or what)
    family = str(spec.pop("chain"))
    make = find_chain(family)
    kinds = {p.name: str(p.annotation) for p in inspect.signature(make).parameters.values()}
    thresholds, force = spec.pop("thresholds", None), spec.pop("force", False)
    made = make(**_arguments(family, kinds, spec, resolve_language))
    if thresholds is not None:
        made = fitted(made, str(thresholds))
    if force:
        made = _forced(made)
    return Chain(made, name=title or family)


def _forced(chain: Chain) -> Chain:
    return Chain(*(replace(step, languages=()) if isinstance(step, Rule) else step for step in chain.steps))


def _arguments(
    owner: str, kinds: Mapping[str, str], spec: Mapping[str, Any], resolve_language: Callable[[str], str]
) -> dict[str, Any]:
    arguments = {}
    for key, value in spec.items():
        if key not in kinds:
            raise errors.unknown(f"parameter of {owner}", key, kinds)
        arguments[key] = read(f"{owner}: {key}", value, resolve_language) if "Bound" in kinds[key] else value
    return arguments
