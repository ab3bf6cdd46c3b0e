"""An extractor that does what the page tells it to; a plug-in for the tests of the sandbox."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

_hoard: list[bytearray] = []


def _segfault() -> None:
    ctypes.string_at(0)


def _sleep_in_c() -> None:
    ctypes.CDLL(None).sleep(3600)


def _spin() -> None:
    while True:
        pass


def _eat_memory() -> None:
    while True:
        _hoard.append(bytearray(64 << 20))


def _leak() -> None:
    _hoard.append(bytearray(b"x" * (20 << 20)))


def _chatter() -> None:
    print("noise on stdout" * 100)
    os.write(1, b"raw noise" * 100)
    os.write(2, b"raw noise" * 100)


def _raise() -> None:
    raise ValueError("no \ud800 page")


DEEDS = {
    "SEGFAULT": _segfault,
    "SIGSEGV": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "ABORT": os.abort,
    "EXIT0": lambda: os._exit(0),
    "EXIT3": lambda: os._exit(3),
    "SYSTEMEXIT": lambda: sys.exit(4),
    "SLEEP": _sleep_in_c,
    "PAUSE": lambda: time.sleep(0.2),
    "SPIN": _spin,
    "MEMORY": _eat_memory,
    "LEAK": _leak,
    "CHATTER": _chatter,
    "RAISE": _raise,
    "KILLPARENT": lambda: os.kill(os.getppid(), signal.SIGKILL),
    "KILLGROUP": lambda: os.killpg(0, signal.SIGKILL),
    "NOTEXT": lambda: None,
}


class Hostile:
    version = "7"

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    def extract(self, html: str, url: str | None) -> str:
        for deed, act in DEEDS.items():
            if f"!{deed}!" in html:
                act()
        if "!PID!" in html:
            return str(os.getpid())
        return "" if "!NOTEXT!" in html else f"{self.prefix}{html}|{url}"


not_a_class = Hostile("ready:")


class NotIsolated(Hostile):
    isolated = False


class NoExtractor:
    pass


class BadAnswer:
    def extract(self, html: str, url: str | None) -> int:
        return 5
