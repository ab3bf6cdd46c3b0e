"""Names: chains and signals by the names recipes use, from this package, from entry points and from user modules."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from tamis import errors, schema
from tamis.bounds import PerLanguage
from tamis.filters.signal import Signal, column, signals

if TYPE_CHECKING:
    from tamis.filters.chain import Chain

ENTRY_POINTS = "tamis.filters"

# Family -> the module that defines it; imported when first asked for, because most bring compiled kernels.
_FAMILIES = {
    "gopher_quality": "tamis.filters.gopher",
    "gopher_repetition": "tamis.filters.repetition",
    "c4_quality": "tamis.filters.c4",
    "fineweb_quality": "tamis.filters.fineweb",
    "refinedweb_lines": "tamis.filters.refinedweb",
    "url_rules": "tamis.filters.url",
    "ccnet_length": "tamis.filters.lengths",
    "mc4_paragraphs": "tamis.filters.lengths",
    "redpajama_signals": "tamis.filters.redpajama",
    "nemo_rules": "tamis.filters.nemo",
    "bad_words": "tamis.filters.badwords",
    "boilerplate_lines": "tamis.filters.boilerplate",
    "pii_masking": "tamis.filters.pii",
}

_CHAINS: dict[str, Callable[..., Chain]] = {}


def add_chain(name: str, make: Callable[..., Chain]) -> None:
    """Register a function that returns a Chain under a name for recipes."""
    _CHAINS[name] = make


def chains() -> dict[str, Callable[..., Chain]]:
    """Return every family of filters by name, in order of name: functions that return a Chain."""
    _load_entry_points()
    for module in _FAMILIES.values():
        importlib.import_module(module)
    return dict(sorted(_CHAINS.items()))


def find_chain(name: str) -> Callable[..., Chain]:
    """Return a family by name; raises `UnknownNameError` naming the nearest."""
    if name in _FAMILIES:
        importlib.import_module(_FAMILIES[name])
    else:
        _load_entry_points()
    if name not in _CHAINS:
        raise errors.unknown("chain of filters", name, {*_FAMILIES, *_CHAINS})
    return _CHAINS[name]


def find_signal(name: str) -> Signal:
    """Return a registered signal, or a numeric column that every document has; raises `UnknownNameError`."""
    if name not in signals():
        chains()
    found = signals().get(name)
    if found is not None:
        return found
    if name not in _numeric_columns():
        raise errors.unknown("signal", name, {*signals(), *_numeric_columns()})
    return column(name)


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
    from tamis.filters.rule import Rule

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


def load_module(path: str | Path) -> Any:
    """Import a Python file, so that the signals and chains it defines are registered; returns the module.

    Its functions travel to workers by value: no worker needs the file.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise errors.ConfigError(f"The module to import does not exist: {file}.", "Paths are relative to the recipe.")
    name = f"tamis_user_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise errors.ConfigError(f"Not a Python module: {file}.", "Give the path of a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    return module


def _build(spec: dict[str, Any], resolve_language: Callable[[str], str], given: Mapping[str, Signal]) -> Chain:
    from tamis.filters.chain import Chain
    from tamis.filters.rule import keep

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
        from tamis.filters.thresholds import fitted

        made = fitted(made, str(thresholds))
    if force:
        made = _forced(made)
    return Chain(made, name=title or family)


def _forced(chain: Chain) -> Chain:
    from tamis.filters.chain import Chain
    from tamis.filters.rule import Rule

    return Chain(*(replace(step, languages=()) if isinstance(step, Rule) else step for step in chain.steps))


def _arguments(
    owner: str, kinds: Mapping[str, str], spec: Mapping[str, Any], resolve_language: Callable[[str], str]
) -> dict[str, Any]:
    arguments = {}
    for key, value in spec.items():
        if key not in kinds:
            raise errors.unknown(f"parameter of {owner}", key, kinds)
        arguments[key] = _bound(f"{owner}: {key}", value, resolve_language) if "Bound" in kinds[key] else value
    return arguments


def _bound(where: str, value: Any, resolve_language: Callable[[str], str]) -> float | PerLanguage:
    if _is_number(value):
        return float(value)
    if isinstance(value, PerLanguage):
        return value
    if not isinstance(value, Mapping) or not all(_is_number(number) for number in value.values()):
        raise errors.ConfigError(
            f"{where} must be a number or a table of numbers by language, not {value!r}.",
            "For example 50, or { default = 50, cmn_Hans = 20 }.",
        )
    overrides = {resolve_language(code): float(number) for code, number in value.items() if code != "default"}
    return PerLanguage(float(value.get("default", math.nan)), overrides)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numeric_columns() -> list[str]:
    import pyarrow as pa

    return [f.name for f in schema.EXTRACTED if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)]


@functools.cache
def _load_entry_points() -> None:
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        found = point.load()
        if callable(found) and not isinstance(found, Signal):
            add_chain(point.name, found)
