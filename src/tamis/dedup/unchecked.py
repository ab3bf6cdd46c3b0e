"""Kernels without bounds checks, for loops whose every index is proven before they start.

Only without the checks do inner loops become vector instructions. Each caller says what proves its indices:
`text_within` for what walks texts, or shapes it has made itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import pyarrow as pa

from tamis.columns import Bytes, Offsets, text_buffers

F = TypeVar("F", bound=Callable[..., Any])


def unchecked(function: F) -> F:
    """Compile `function` with Numba: `nogil`, disk-cached, no bounds checks; interpreted under NUMBA_DISABLE_JIT=1."""
    return cast(F, numba.njit(nogil=True, cache=True)(function))


def text_within(texts: pa.LargeStringArray) -> tuple[Offsets, Bytes]:
    """Return `columns.text_buffers`. Raises ValueError unless the offsets ascend and lie within the data."""
    offsets, data = text_buffers(texts)
    if offsets[0] < 0 or offsets[-1] > len(data) or bool((offsets[1:] < offsets[:-1]).any()):
        raise ValueError("the offsets of a text column do not ascend within its data")
    return offsets, data
