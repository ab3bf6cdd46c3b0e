"""The one way kernels are compiled: no interpreter lock, cached on disk, bounds checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile `function` with Numba: `nogil`, disk-cached, and with bounds checks, because input is hostile.

    `NUMBA_DISABLE_JIT=1` runs the same source interpreted.
    """
    return _keyed(numba.njit(nogil=True, cache=True, boundscheck=True)(function), function)


def proven_kernel(function: F) -> F:
    """Compile like `kernel`, without bounds checks: for inner loops with a comment that proves their indices."""
    return _keyed(numba.njit(nogil=True, cache=True, boundscheck=False)(function), function)


def _keyed(compiled: Any, function: F) -> F:
    """Let the disk cache know the sources that may be inlined: Numba looks at the file of `function` alone, and would
    go on with old code after a kernel it calls was changed in another file."""
    file: Any = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if hasattr(file, "_source_stamp"):
        own = Path(function.__code__.co_filename).parent
        file._source_stamp = (file._source_stamp, _sources(own), _sources(Path(__file__).parent))
    return cast(F, compiled)


@cache
def _sources(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
