"""Bounds: thresholds as data, one number or one number per language."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PerLanguage:
    """A bound with a default and overrides by language code (`iso639-3_Script`).

    A NaN default means "no bound": a language without an override of its own passes.
    """

    default: float
    overrides: Mapping[str, float] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[PerLanguage], tuple[float, dict[str, float]]]:
        return PerLanguage, (self.default, dict(self.overrides))

    def __post_init__(self) -> None:
        object.__setattr__(self, "overrides", MappingProxyType(dict(self.overrides)))

    def of(self, language: str | None) -> float:
        """Return the bound of one language."""
        return self.default if language is None else self.overrides.get(language, self.default)


Bound = float | PerLanguage


def resolve(bound: Bound, languages: pa.Array | None, rows: int) -> npt.NDArray[np.float64]:
    """Return the bound of each row, shape (rows,), float64; NaN where a row has no bound.

    `languages` is the batch's language column (string-like), or None where the batch has none.
    """
    if not isinstance(bound, PerLanguage):
        return np.full(rows, float(bound))
    if languages is None or not bound.overrides:
        return np.full(rows, bound.default)
    encoded = languages.dictionary_encode()
    table = np.array([bound.of(code) for code in encoded.dictionary.to_pylist()] + [bound.default])
    places: npt.NDArray[np.int64] = encoded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
    return table[places]


def read(where: str, value: Any, resolve_language: Callable[[str], str], default: float = math.nan) -> Bound:
    """Return the bound that a recipe gives: a number, or a table of them by language.

    Codes are resolved by `resolve_language`; a table may have its own `default`. Raises ConfigError for anything else.
    """
    if isinstance(value, PerLanguage):
        return value
    if _is_number(value):
        return float(value)
    if not isinstance(value, Mapping) or not all(_is_number(number) for number in value.values()):
        raise ConfigError(
            f"{where} must be a number or a table of numbers by language, not {value!r}.",
            "For example 50, or { default = 50, cmn_Hans = 20 }.",
        )
    overrides = {resolve_language(code): float(number) for code, number in value.items() if code != "default"}
    return PerLanguage(float(value.get("default", default)), overrides)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def plain(bound: Bound) -> float | dict[str, float]:
    """Return a bound as JSON and TOML can hold it, languages in sorted order."""
    if not isinstance(bound, PerLanguage):
        return float(bound)
    return {"default": bound.default} | {code: bound.overrides[code] for code in sorted(bound.overrides)}
