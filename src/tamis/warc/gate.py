"""Gates: how often a host may be asked by all who share one: a rate, pauses that it asked for, and an end at 403."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from tamis.errors import InputError

# 403 answers in a row after which a host is left alone: Common Crawl blocks clients that go on.
FORBIDDEN = 3
LONGEST_PAUSE_S = 600.0
_ANSWER_S = 60.0


class Gate(Protocol):
    """What stands before every request. Shared by all that fetch: threads, processes and machines."""

    def take(self, host: str) -> float:
        """Take the host's next turn; return in how many seconds it comes. Raises InputError for a host that refuses."""
        ...

    def note(self, host: str, status: int, pause: float = 0.0) -> None:
        """Tell an answer's status, and for how many seconds the host asked to be left alone."""
        ...

    def alone(self, name: str) -> AbstractContextManager[None]:
        """Return a context in which nobody else fetches the file of this name."""
        ...


class LocalGate:
    """The gate of one process; `rate` in requests a second to each host, None for no limit.

    Turns of a host are 1 / rate seconds apart: no burst, because all workers start at the same moment.
    """

    def __init__(
        self, rate: float | None = None, forbidden: int = FORBIDDEN, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._apart = 1.0 / rate if rate else 0.0
        self._forbidden = forbidden
        self._clock = clock
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}
        self._refused: dict[str, int] = {}
        self._busy: dict[str, threading.Lock] = {}

    def take(self, host: str) -> float:
        """Take the host's next turn; return in how many seconds it comes. Raises InputError for a host that refuses."""
        with self._lock:
            if self._refused.get(host, 0) >= self._forbidden:
                raise InputError(
                    f"{host} refuses requests (403, {self._forbidden} times in a row).",
                    "Wait an hour and lower read.requests_per_second; a host that is asked on blocks for longer.",
                )
            now = self._clock()
            turn = max(now, self._next.get(host, now))
            self._next[host] = turn + self._apart
            return turn - now

    def note(self, host: str, status: int, pause: float = 0.0) -> None:
        """Tell an answer's status, and for how many seconds the host asked to be left alone."""
        with self._lock:
            self._refused[host] = self._refused.get(host, 0) + 1 if status == 403 else 0
            if pause > 0:
                until = self._clock() + min(pause, LONGEST_PAUSE_S)
                self._next[host] = max(self._next.get(host, until), until)

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Return a context in which nobody else fetches the file of this name."""
        with self._lock:
            lock = self._busy.setdefault(name, threading.Lock())
        with lock:
            yield


class RemoteGate:
    """The gate that another process keeps (`tamis.pipeline.gatekeeper`); `address` is `host:port:secret`.

    One line each way: `take HOST`, `note HOST STATUS PAUSE`, `alone NAME`, which is let go when the connection ends.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def take(self, host: str) -> float:
        """Take the host's next turn; return in how many seconds it comes. Raises InputError for a host that refuses."""
        with self._asked(f"take {host}") as answer:
            kind, _, rest = answer.partition(" ")
        if kind == "stop":
            message, _, hint = rest.partition("\t")
            raise InputError(message, hint)
        return float(rest)

    def note(self, host: str, status: int, pause: float = 0.0) -> None:
        """Tell an answer's status, and for how many seconds the host asked to be left alone."""
        with self._asked(f"note {host} {status} {pause}"):
            pass

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Return a context in which nobody else fetches the file of this name."""
        with self._asked(f"alone {name}", wait=None):
            yield

    @contextmanager
    def _asked(self, line: str, wait: float | None = _ANSWER_S) -> Iterator[str]:
        host, port, secret = self.address.rsplit(":", 2)
        try:
            with socket.create_connection((host, int(port)), timeout=_ANSWER_S) as peer, peer.makefile("rw") as lines:
                peer.settimeout(wait)
                lines.write(f"{secret} {line}\n")
                lines.flush()
                answer = lines.readline().rstrip("\n")
                if not answer:
                    raise OSError("it closed the connection")
                yield answer
        except OSError as error:
            raise InputError(
                f"The driver, which keeps the rate of requests, cannot be reached at {host}:{port}: {error}.",
                "Workers on other machines need to reach the driver's ports; see docs/cluster.md.",
            ) from error
