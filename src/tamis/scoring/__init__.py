"""Scores by models, on CUDA or CPU: texts in, a score with its windows and coverage out. Alone it may import torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.scoring.options import ScoringOptions
    from tamis.scoring.scored import Scored
    from tamis.scoring.scorer import Scorer, load

_HOMES = {
    "Scored": "tamis.scoring.scored",
    "Scorer": "tamis.scoring.scorer",
    "ScoringOptions": "tamis.scoring.options",
    "load": "tamis.scoring.scorer",
}

__all__ = ["Scored", "Scorer", "ScoringOptions", "load"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tamis.scoring' has no attribute {name!r}")
