"""Tamis: web crawls in, deduplicated and tokenized multilingual corpora out, every token accounted for.

Names are loaded when first used: `import tamis` alone loads neither numba nor any model library.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.bounds import Bound, PerLanguage
    from tamis.filters.chain import Chain, Sifted
    from tamis.filters.rule import keep
    from tamis.filters.signal import per_document, signal
    from tamis.pipeline.run import Report
    from tamis.recipe import Recipe
    from tamis.runs import plan, run

__version__ = "0.1.0"

_HOMES = {
    "Bound": "tamis.bounds",
    "PerLanguage": "tamis.bounds",
    "Chain": "tamis.filters.chain",
    "Sifted": "tamis.filters.chain",
    "keep": "tamis.filters.rule",
    "signal": "tamis.filters.signal",
    "per_document": "tamis.filters.signal",
    "Recipe": "tamis.recipe",
    "run": "tamis.runs",
    "plan": "tamis.runs",
    "Report": "tamis.pipeline.run",
}

__all__ = [
    "Bound",
    "Chain",
    "PerLanguage",
    "Recipe",
    "Report",
    "Sifted",
    "__version__",
    "keep",
    "per_document",
    "plan",
    "run",
    "signal",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tamis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
