"""Healing: an intermediate file found damaged is made again, with what was not done yet, and the run goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from tamis.pipeline.manifest import Manifest
from tamis.pipeline.verified import DamagedError

T = TypeVar("T")

log = logging.getLogger("tamis")


def healed(work: Callable[[], T], manifest: Manifest) -> T:
    """Return what `work` returns, done again after each file found damaged. Raises DamagedError the second time that
    one file is: then the disk, or what writes to it, is at fault."""
    seen: set[str] = set()
    while True:
        try:
            return work()
        except DamagedError as error:
            if error.path in seen:
                raise
            seen.add(error.path)
            log.warning("%s It is made again.", error.message)
            manifest.forget_lost()
