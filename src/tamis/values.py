"""Values: what the keys of a recipe may hold, checked and read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from tamis import errors
from tamis.bounds import Bound, read
from tamis.errors import ConfigError
from tamis.pipeline.languages import WAYS

T = TypeVar("T")

SIZE_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse(name: str, kind: type[T], table: Mapping[str, Any], convert: Mapping[str, Callable[[Any], Any]]) -> T:
    """Return the dataclass `kind` filled from a recipe's table; keys are checked, values by the field's type.

    Raises UnknownNameError for a key it has not, ConfigError for a value of another type.
    """
    hints = get_type_hints(kind)
    names = [each.name for each in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = {}
    for key, value in table.items():
        if key not in names:
            raise errors.unknown(f"key in [{name}]", key, names)
        values[key] = convert[key](value) if key in convert else _typed(f"{name}.{key}", value, hints[key])
    return kind(**values)


# What TOML may give for a field's type; a whole number will do where a fraction is wanted.
_ACCEPTED: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}


def _typed(where: str, value: Any, hint: Any) -> Any:
    accepted = _ACCEPTED.get(hint)
    if accepted and (not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool)):
        raise ConfigError(f"{where} is {value!r}.", f"It must be of type {hint.__name__}.")
    return float(value) if hint is float else value


def size(value: Any) -> int:
    """Return bytes from a number or a text such as "128MB" or "4 GiB". Raises ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    text = str(value).strip()
    for unit, factor in SIZE_UNITS.items():
        number = text.removesuffix(unit).strip()
        if text.endswith(unit) and number.replace(".", "", 1).isdigit():
            return int(float(number) * factor)
    raise ConfigError(f"{value!r} is not a size.", f"Give bytes, or a number with one of {', '.join(SIZE_UNITS)}.")


def count(value: Any) -> int:
    """Return a number of tokens. Raises ConfigError."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{value!r} is not a number of tokens.", "Give a whole number above 0.")
    return value


def bound(where: str, value: Any) -> Bound:
    """Return a number, or a table of them by language whose default is 0 where it has none. Raises ConfigError."""
    return read(where, value, resolve_language, default=0.0)


def least(value: Any) -> Bound | str:
    """Return `langid.at_least`: a bound, or one of the ways of deriving it from the run's own scores."""
    if not isinstance(value, str):
        return bound("langid.at_least", value)
    if value not in WAYS:
        raise errors.unknown("way of deriving langid.at_least", value, WAYS)
    return value


def policies(value: Any) -> str | dict[str, str]:
    """Return `langid.confusable`: a policy, or policies by group. Raises ConfigError."""
    from tamis.langid.groups import by_group

    if not isinstance(value, (str, Mapping)):
        raise ConfigError(f"langid.confusable is {value!r}.", "Give a policy, or a table of policies by group.")
    by_group(value)
    return value if isinstance(value, str) else dict(value)


def languages(value: Any) -> tuple[str, ...]:
    """Return `langid.keep`: languages by their codes here, each once. Raises ConfigError."""
    if not isinstance(value, list) or not all(isinstance(code, str) for code in value):
        raise ConfigError(f"langid.keep is {value!r}.", "Give a list of language codes.")
    return tuple(dict.fromkeys(resolve_language(code) for code in value))


def resolve_language(code: str) -> str:
    """Return a language's code here; any standard's will do. Raises UnknownNameError."""
    from tamis.langid.codes import resolve

    return resolve(code)
