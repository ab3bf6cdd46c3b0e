"""What a chain is, as a checksum: the same definition gives the same fingerprint in every process and on every run."""

from __future__ import annotations

import hashlib
import inspect
import json
import types
from collections.abc import Mapping
from typing import Any

import cloudpickle
import numpy as np
import pyarrow as pa

from tamis import bounds


def fingerprint(steps: object) -> str:
    """Return the SHA-256 of a chain's definition: names, bounds, options, the source of user functions and tables."""
    text = json.dumps(describe(steps), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def describe(value: Any, seen: tuple[int, ...] = ()) -> Any:
    """Return a value as JSON can hold it: two equal definitions give equal descriptions.

    A function is described by its source, defaults, closure and the plain globals it reads.
    """
    if id(value) in seen:
        return "recursive"
    seen = (*seen, id(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    if isinstance(value, bounds.PerLanguage):
        return {key: repr(number) for key, number in _plain(value).items()}
    if isinstance(value, (bytes, np.ndarray, pa.Array)):
        return _checksum(value)
    if isinstance(value, Mapping):
        return {"map": sorted(([describe(k, seen), describe(v, seen)] for k, v in value.items()), key=repr)}
    if isinstance(value, (list, tuple)):
        return [describe(each, seen) for each in value]
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((describe(each, seen) for each in value), key=repr)}
    return _describe_object(value, seen)


def _describe_object(value: Any, seen: tuple[int, ...]) -> Any:
    if isinstance(value, types.FunctionType):
        return _describe_function(value, seen)
    if isinstance(value, (type, types.ModuleType, types.BuiltinFunctionType, pa.DataType)):
        return _describe_name(value, seen)
    state = _state(value)
    if state is None:
        return _checksum(cloudpickle.dumps(value))
    return [_describe_name(type(value), seen), describe(state, seen)]


def _state(value: Any) -> dict[str, Any] | None:
    """Return what an instance holds, or None for objects of compiled types, which cannot be looked into."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return dict(vars(value)) if hasattr(value, "__dict__") else None


def _describe_name(value: Any, seen: tuple[int, ...]) -> Any:
    if isinstance(value, types.ModuleType):
        return f"module {value.__name__}"
    if isinstance(value, pa.DataType):
        return str(value)
    name = f"{value.__module__}.{value.__qualname__}"
    if not isinstance(value, type) or str(value.__module__).split(".")[0] == "tamis":
        return name
    methods = {key: member for key, member in vars(value).items() if isinstance(member, types.FunctionType)}
    return [name, {key: describe(member, seen) for key, member in sorted(methods.items())}]


def _describe_function(function: types.FunctionType, seen: tuple[int, ...]) -> Any:
    name = f"{function.__module__}.{function.__qualname__}"
    if function.__module__.split(".")[0] == "tamis":
        return name
    code = function.__code__
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    reads = {key: function.__globals__[key] for key in sorted(code.co_names) if key in function.__globals__}
    return [
        name.rpartition(".")[2],
        _source(function),
        [describe(each, seen) for each in (function.__defaults__, function.__kwdefaults__, cells)],
        {key: describe(each, seen) for key, each in reads.items()},
    ]


def _source(function: types.FunctionType) -> str:
    """Return the source of a function; where there is none (a shell, an unpickled one), its byte code says as much."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = function.__code__
        return code.co_code.hex() + repr([each for each in code.co_consts if not isinstance(each, types.CodeType)])


def _checksum(value: Any) -> str:
    if isinstance(value, pa.Array):
        return _checksum(json.dumps(value.to_pylist(), default=str).encode())
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}" + hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    return hashlib.sha256(value).hexdigest()


def _plain(bound: bounds.PerLanguage) -> dict[str, float]:
    plain = bounds.plain(bound)
    return plain if isinstance(plain, dict) else {"default": plain}
