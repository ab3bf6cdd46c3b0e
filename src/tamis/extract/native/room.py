"""Room for a page's tables, used again for the next page: fresh memory costs as much time as scanning into it."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

# Tables of more bytes are made for one page and given back; few pages need any.
_KEPT_BYTES = 8 << 20


class Room:
    """Hands out arrays by name, not set: with `kept` the same memory for the same name each time, so that a page's
    tables hold until the next page takes theirs. Serves one thread."""

    def __init__(self, *, kept: bool = False) -> None:
        self._kept = kept
        self._held: dict[str, npt.NDArray[Any]] = {}

    def table(self, name: str, dtype: Any, *shape: int) -> npt.NDArray[Any]:
        """Return an array of that shape; what is in it is left from before."""
        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or len(held) < size:
            most = _KEPT_BYTES // np.dtype(dtype).itemsize
            if not self._kept or size > most:
                return np.empty(shape, dtype)
            self._held[name] = held = np.empty(min(2 * size, most), dtype)
        return held[:size].reshape(shape)


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.room = Room(kept=True)


_ROOMS = _Rooms()


def kept_room() -> Room:
    """Return this thread's room, which lasts."""
    return _ROOMS.room
