"""Kernels that are written into the kernels that call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def inlined(function: F) -> F:
    """Compile `function` as `kernel` does, but write it into its callers.

    A call with checked bounds costs about 10 ns, several times what these few instructions do themselves.
    """
    return cast(F, numba.njit(nogil=True, boundscheck=True, inline="always")(function))
