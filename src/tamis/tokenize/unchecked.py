"""Kernels without bounds checks, each of which says what proves its indices; the check they all rest on; prefetching.

`NUMBA_BOUNDSCHECK=1` puts the checks back, and a test runs the kernels so on damaged text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic, overload
from numpy.lib.stride_tricks import as_strided

from tamis.columns import Bytes, Offsets, text_buffers
from tamis.text.kernel import proven_kernel

F = TypeVar("F", bound=Callable[..., Any])
Words = npt.NDArray[np.int64]


unchecked = proven_kernel


def inlined(function: F) -> F:
    """Compile into the callers: a call would be handed each array as seven numbers, and count its users."""
    return cast(F, numba.njit(nogil=True, inline="always")(function))


def text_within(texts: pa.LargeStringArray) -> tuple[Offsets, Bytes]:
    """Return `columns.text_buffers`. Raises ValueError unless the offsets ascend and lie within the data."""
    offsets, data = text_buffers(texts)
    if offsets[0] < 0 or offsets[-1] > len(data) or bool((offsets[1:] < offsets[:-1]).any()):
        raise ValueError("the offsets of a text column do not ascend within its data")
    return offsets, data


def overlapping_words(data: Bytes) -> Words:
    """Return a view whose value at i is the eight bytes from i on, little-endian; seven values fewer than bytes."""
    if len(data) < 8:
        return as_strided(np.zeros(1, "<i8"), (0,), (1,))
    return as_strided(np.frombuffer(data[:8], "<i8"), (len(data) - 7,), (1,), writeable=False)


def aligned(size: int) -> Words:
    """Return zeros, shape (size,), int64, that start at a cache line."""
    block = np.zeros(size + 8, np.int64)
    start = -(block.ctypes.data // 8) % 8
    return block[start : start + size]


def prefetch(array: Words, at: int) -> None:
    """Ask for the cache line that holds `array[at]` and wait for nothing; interpreted, it does nothing."""


def _prefetch_type(typing: Any, array: Any, at: Any) -> Any:
    """Return the signature and the code of one prefetch instruction: for reading, near, of data."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(start, [arguments[1]]), ir.IntType(8).as_pointer())
        word = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, word, word, word])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        builder.call(ask, [place, ir.Constant(word, 0), ir.Constant(word, 3), ir.Constant(word, 1)])
        return context.get_dummy_value()

    return types.void(array, at), code


_prefetch: Any = intrinsic(_prefetch_type)


@overload(prefetch)
def _compiled_prefetch(array: Any, at: Any) -> Callable[[Any, Any], None]:
    def ask(array: Any, at: Any) -> None:
        _prefetch(array, at)

    return ask
