"""A step: what is done to every shard, and the fingerprint that decides what a re-run may keep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def digest(*parts: Any) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of JSON values; mappings count in key order."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the pipeline.

    `version` is raised when the step's code gives other results; `options` holds every setting and model
    checksum that the result depends on, and nothing else (never worker counts or memory).
    """

    name: str
    version: int
    options: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """What the step does, whatever its input."""
        return digest(self.name, self.version, self.options)

    def of(self, inputs: Sequence[str]) -> str:
        """Return the fingerprint of the step applied to inputs with these fingerprints or identities."""
        return digest(self.fingerprint, list(inputs))
