"""A shard: one unit of work, small enough to redo, named the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Shard:
    """One unit of work of one step.

    `name` is stable and sorts in manifest order; `fingerprint` says everything its result depends on;
    `payload` is JSON that tells the worker what to do (paths and offsets, never documents).
    """

    step: str
    name: str
    fingerprint: str
    payload: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.step}/{self.name}"
