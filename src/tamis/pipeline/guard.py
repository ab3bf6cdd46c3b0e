"""Guard: a thread in every worker that ends it when its driver is gone, its memory is over, or it has fallen silent.

A worker whose driver was killed must not go on writing: the next run may by then have committed another recipe's file
under the same name. A worker over its share must not wait for the kernel to choose whom to kill. It reports nothing:
the driver sees it end, and decides what to try next.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tamis.pipeline.retries import Divisible
from tamis.pipeline.shard import Shard

_LOOK_S = 0.2
_PAGE = os.sysconf("SC_PAGE_SIZE")
# A page has at most ten times its deadline; a unit that gives no sign for longer hangs where no deadline reaches.
SILENCE_S = 900.0
EXIT_MEMORY, EXIT_SILENT, EXIT_ORPHAN = 86, 87, 88
ENDINGS = {EXIT_MEMORY: "memory", EXIT_SILENT: "silent", EXIT_ORPHAN: "its driver was gone"}


class Guard:
    """Watches this process from a thread of its own.

    memory: bytes this process and its children may hold that no file backs; None: not watched.
    parent: the process id whose end ends this one; None: not watched.
    silence_s: the longest time between two beats of one unit, once it has begun to beat.
    """

    def __init__(self, memory: int | None = None, parent: int | None = None, silence_s: float = SILENCE_S) -> None:
        self._memory = memory
        self._parent = parent
        self._silence_s = silence_s
        self._unit: tuple[Any, Shard] | None = None
        self._beaten: float | None = None
        threading.Thread(target=self._look, name="tamis-guard", daemon=True).start()

    def beat(self) -> None:
        """Say that the unit in hand is alive."""
        self._beaten = time.monotonic()

    @contextmanager
    def over(self, work: Any, shard: Shard) -> Iterator[None]:
        """Watch over one unit."""
        self._unit, self._beaten = (work, shard), None
        try:
            yield
        finally:
            self._unit, self._beaten = None, None

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_S)
            if self._parent is not None and os.getppid() != self._parent:
                os._exit(EXIT_ORPHAN)
            if self._beaten is not None and time.monotonic() - self._beaten > self._silence_s:
                os._exit(EXIT_SILENT)
            if self._memory is not None and self._unit is not None and held(os.getpid()) > self._memory:
                self._say_exhausted(*self._unit)
                os._exit(EXIT_MEMORY)

    def _say_exhausted(self, work: Any, shard: Shard) -> None:
        if isinstance(work, Divisible):
            with suppress(Exception):  # it ends either way; the driver then takes it for a plain death
                work.exhausted(shard)


_current: Guard | None = None


def start(memory: int | None, parent: int | None) -> Guard:
    """Return the guard of this process, started if it has none yet."""
    global _current
    if _current is None:
        _current = Guard(memory, parent)
    return _current


def beat() -> None:
    """Say that the unit in hand is alive, where somebody listens."""
    if _current is not None:
        _current.beat()


def held(pid: int) -> int:
    """Return the bytes in memory of a process and its descendants that no file backs; 0 for one that is gone."""
    total = 0
    with suppress(OSError, ValueError):
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
        total = (int(resident) - int(shared)) * _PAGE
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                total += held(int(child))
    return total
