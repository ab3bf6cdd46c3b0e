"""Signals: what is measured on documents. Pure, independent of batch neighbours, and never a judgement."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import pyarrow as pa

from tamis import errors, schema

# A traceback is kept for a person to read in `dropped/`; its tail names the fault.
TRACEBACK_CHARS = 2_000

# What a lambda's values and drops are called.
NAMELESS = "custom"

_REGISTRY: dict[str, Signal] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A quantity measured on each document of a batch.

    `reads` are the columns (by name) and signals (as objects) handed to `compute`, in its parameter order; a column
    written `name?` is all null where the batch has none.
    `compute` returns one value per row as an Arrow array, numpy array or list; with `per_row` it is called once per
    document with plain Python values instead. Values are cast to `type`. Two signals are equal, and measured once, if
    they are defined alike; a function is like nothing but itself.
    """

    name: str
    reads: tuple[str | Signal, ...]
    compute: Callable[..., Any]
    per_row: bool = False
    type: pa.DataType = field(default_factory=pa.float64)

    def __call__(self, *values: Any) -> Any:
        """Return what `compute` returns, so that a decorated function can still be called and tested directly."""
        return self.compute(*values)

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Signal):
            return self is other
        mine = (self.name, self.per_row, self.type, self.reads, self.compute)
        return mine == (other.name, other.per_row, other.type, other.reads, other.compute)

    def __reduce__(self) -> tuple[Any, ...]:
        home = str(getattr(self.compute, "__module__", ""))
        if _is_installed(home) and getattr(sys.modules[home], self.name, None) is self:
            return _by_name, (home, self.name)
        return Signal, (self.name, self.reads, self.compute, self.per_row, self.type)


def _is_installed(module: str) -> bool:
    """Say whether a module is of the package itself: those alone are certain to be importable in a worker."""
    return module.split(".")[0] == "tamis" and module in sys.modules


def _by_name(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


@overload
def signal(function: Callable[..., Any] | Signal) -> Signal: ...
@overload
def signal(
    *, name: str | None = None, type: pa.DataType | None = None
) -> Callable[[Callable[..., Any] | Signal], Signal]: ...
def signal(
    function: Callable[..., Any] | Signal | None = None, *, name: str | None = None, type: pa.DataType | None = None
) -> Signal | Callable[[Callable[..., Any] | Signal], Signal]:
    """Make a signal of a function over a whole batch, and register it under its name.

    Each parameter names what is read: a registered signal of that name if there is one, else a column of the batch.
    The function gets Arrow arrays and returns one number or truth value per row (Arrow, numpy or list). It must be
    pure, and a row's value must not depend on other rows. Values are stored as `type`, by default float64.
    """
    if function is None:
        return lambda late: _define(late, name, type, per_row=False)
    return _define(function, name, type, per_row=False)


@overload
def per_document(function: Callable[..., Any]) -> Signal: ...
@overload
def per_document(*, name: str) -> Callable[[Callable[..., Any]], Signal]: ...
def per_document(
    function: Callable[..., Any] | None = None, *, name: str | None = None
) -> Signal | Callable[[Callable[..., Any]], Signal]:
    """Make a signal of a plain function of one document: the slow lane, some microseconds a document.

    The function gets plain Python values (`text: str`, `language: str | None`, …) and returns a number, a truth value
    or None.
    """
    if function is None:
        return lambda late: _define(late, name, None, per_row=True)
    return _define(function, name, None, per_row=True)


def column(name: str) -> Signal:
    """Return the signal that is simply a numeric column of the batch."""
    return Signal(name, (name,), _identity)


def signals() -> dict[str, Signal]:
    """Return every registered signal by name, in order of name."""
    return dict(sorted(_REGISTRY.items()))


def register(new: Signal) -> Signal:
    """Register a signal under its name; a module may redefine its own signals, never those of another.

    Raises `ConfigError` when the name is taken.
    """
    old = _REGISTRY.get(new.name)
    if old is not None and _home(old) != _home(new):
        raise errors.ConfigError(
            f"Signal {new.name!r} of {_home(new)} is already defined by {_home(old)}.", "Give it another name."
        )
    _REGISTRY[new.name] = new
    return new


def measure(signal: Signal, inputs: Sequence[pa.Array], rows: int) -> tuple[pa.Array, dict[int, str]]:
    """Return the signal of each row and the traceback of each row it failed on (null there).

    A function that fails on the whole batch is asked again row by row, so that a fault costs its own document only.
    """
    if signal.per_row:
        return _measure_rows(signal, [values.to_pylist() for values in inputs], rows)
    try:
        return as_column(signal, signal.compute(*inputs), rows), {}
    except Exception:
        return _measure_slices(signal, inputs, rows)


def as_column(signal: Signal, values: Any, rows: int) -> pa.Array:
    """Return what a signal computed as an array of its type; raises ValueError on a wrong number of rows."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if not isinstance(values, pa.Array):
        values = pa.array(np.asarray(values) if isinstance(values, np.ndarray) else list(values))
    if len(values) != rows:
        raise ValueError(f"signal {signal.name!r} returned {len(values)} values for {rows} documents")
    return values if values.type == signal.type else values.cast(signal.type)


def _measure_rows(signal: Signal, inputs: Sequence[list[Any]], rows: int) -> tuple[pa.Array, dict[int, str]]:
    values: list[Any] = [None] * rows
    faults: dict[int, str] = {}
    for row in range(rows):
        try:
            value = signal.compute(*(column[row] for column in inputs))
            values[row] = None if value is None else float(value)
        except Exception:
            faults[row] = fault()
    return pa.array(values, pa.float64()).cast(signal.type), faults


def _measure_slices(signal: Signal, inputs: Sequence[pa.Array], rows: int) -> tuple[pa.Array, dict[int, str]]:
    values: list[pa.Array] = []
    faults: dict[int, str] = {}
    for row in range(rows):
        try:
            values.append(as_column(signal, signal.compute(*(column.slice(row, 1) for column in inputs)), 1))
        except Exception:
            faults[row] = fault()
            values.append(pa.nulls(1, signal.type))
    return pa.concat_arrays(values) if values else pa.nulls(0, signal.type), faults


def fault() -> str:
    """Return the end of the traceback of the exception being handled."""
    return traceback.format_exc()[-TRACEBACK_CHARS:]


def _define(
    function: Callable[..., Any] | Signal, name: str | None, type: pa.DataType | None, *, per_row: bool
) -> Signal:
    if isinstance(function, Signal):
        return function
    made = Signal(name or _name(function), inputs_of(function), function, per_row, type or pa.float64())
    # What has no name of its own is not asked for by name, and two modules may each have some.
    return made if made.name == NAMELESS else register(made)


def inputs_of(function: Callable[..., Any]) -> tuple[str | Signal, ...]:
    """Return what a function's parameters name: registered signals, else columns.

    A parameter with a default is an option of the function, not an input.
    """
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.default is p.empty and p.kind in kinds]
    return tuple(name if name in schema.EXTRACTED.names else _REGISTRY.get(name, name) for name in names)


def _name(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", None) or getattr(function, "name", None) or type(function).__name__
    return NAMELESS if name == "<lambda>" else str(name)


def _home(signal: Signal) -> str:
    return str(getattr(signal.compute, "__module__", "") or type(signal.compute).__module__)


def _identity(values: pa.Array) -> pa.Array:
    return values
