"""Names: chains and signals by the names recipes use, from this package, from entry points and from user modules."""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from tamis import errors, schema
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


def _numeric_columns() -> list[str]:
    import pyarrow as pa

    return [f.name for f in schema.EXTRACTED if pa.types.is_integer(f.type) or pa.types.is_floating(f.type)]


@functools.cache
def _load_entry_points() -> None:
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        found = point.load()
        if callable(found) and not isinstance(found, Signal):
            add_chain(point.name, found)
