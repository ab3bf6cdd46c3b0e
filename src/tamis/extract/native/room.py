"""Room for a page's tables, used again for the next page: fresh memory costs as much time as scanning into it."""

from __future__ import annotations

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
        self._held: dict[str, npt.NDArray[Any]] | None = {} if kept else None

    def table(self, name: str, dtype: Any, *shape: int) -> npt.NDArray[Any]:
        """Return an array of that shape; what is in it is left from before."""
        kind, size = np.dtype(dtype), 1
        for length in shape:
            size *= length
        if self._held is None or size * kind.itemsize > _KEPT_BYTES:
            return np.empty(shape, kind)
        held = self._held.get(name)
        if held is None or len(held) < size:
            self._held[name] = held = np.empty(min(2 * size, _KEPT_BYTES // kind.itemsize), kind)
        return held[:size].reshape(shape)


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.room = Room(kept=True)


_ROOMS = _Rooms()


def kept_room() -> Room:
    """Return this thread's room, which lasts."""
    return _ROOMS.room
