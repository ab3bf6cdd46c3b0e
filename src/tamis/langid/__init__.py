"""Text to language: `identify` and `Identifier`, codes, scripts, models, thresholds, and `tamis.langid.train`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.langid.codes import name, resolve
    from tamis.langid.identifier import Identifier, identify

_HOMES = {
    "Identifier": "tamis.langid.identifier",
    "identify": "tamis.langid.identifier",
    "name": "tamis.langid.codes",
    "resolve": "tamis.langid.codes",
}

__all__ = ["Identifier", "identify", "name", "resolve"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tamis.langid' has no attribute {name!r}")
