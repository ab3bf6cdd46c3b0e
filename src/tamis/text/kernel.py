"""The one way kernels are compiled: no interpreter lock, cached on disk, bounds checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` with Numba: `nogil`, disk-cached, and with bounds checks, because input is hostile.

    `NUMBA_DISABLE_JIT=1` runs the same source interpreted.
    """
    return cast(F, numba.njit(nogil=True, cache=True, boundscheck=True)(function))
