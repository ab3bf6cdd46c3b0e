"""Text to language: `identify` and `Identifier`, codes, scripts, models, thresholds and training."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.langid.codes import name, resolve
    from tamis.langid.identify import Identifier, identify
    from tamis.langid.train import train

_HOMES = {
    "Identifier": "tamis.langid.identify",
    "identify": "tamis.langid.identify",
    "name": "tamis.langid.codes",
    "resolve": "tamis.langid.codes",
    "train": "tamis.langid.train",
}

__all__ = ["Identifier", "identify", "name", "resolve", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        # A submodule of the same name must not hide the function, so the function is set for good.
        found = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'tamis.langid' has no attribute {name!r}")
