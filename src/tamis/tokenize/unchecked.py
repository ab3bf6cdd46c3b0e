"""Kernels without bounds checks, each of which says what proves its indices; and the check they all rest on.

`NUMBA_BOUNDSCHECK=1` puts the checks back, and a test runs the kernels so on damaged text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numpy.lib.stride_tricks import as_strided

from tamis.columns import Bytes, Offsets, text_buffers

F = TypeVar("F", bound=Callable[..., Any])
Words = npt.NDArray[np.int64]


def unchecked(function: F) -> F:
    """Compile `function` with Numba: `nogil`, disk-cached, no bounds checks; interpreted under NUMBA_DISABLE_JIT=1."""
    return cast(F, numba.njit(nogil=True, cache=True)(function))


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
