"""HTML into text: extractors behind one interface, a sandbox that no page can stop, and cheap checks before either."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.extract.checks import precheck
    from tamis.extract.extractor import Extracted, Extractor, Failure, load
    from tamis.extract.one import extract_html
    from tamis.extract.sandbox import Limits, Sandbox

_HOMES = {
    "Extracted": "tamis.extract.extractor",
    "Extractor": "tamis.extract.extractor",
    "Failure": "tamis.extract.extractor",
    "Limits": "tamis.extract.sandbox",
    "Sandbox": "tamis.extract.sandbox",
    "extract_html": "tamis.extract.one",
    "load": "tamis.extract.extractor",
    "precheck": "tamis.extract.checks",
}

__all__ = ["Extracted", "Extractor", "Failure", "Limits", "Sandbox", "extract_html", "load", "precheck"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tamis.extract' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
