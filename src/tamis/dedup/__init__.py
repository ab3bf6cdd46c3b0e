"""Deduplication: exact and near duplicates, verified, inside a declared memory, the same answer every time."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.dedup.bands import candidates
    from tamis.dedup.bridge import from_datasketch, to_datasketch
    from tamis.dedup.components import Components, find_components
    from tamis.dedup.drops import cluster_sizes, combine, of_unit
    from tamis.dedup.exact import exact_duplicates
    from tamis.dedup.inmemory import deduplicate
    from tamis.dedup.lines import remove_repeated_lines
    from tamis.dedup.minhash import sign
    from tamis.dedup.options import DedupOptions, LineOptions, band_names, scurve
    from tamis.dedup.rehydration import rehydration_weights
    from tamis.dedup.verdicts import resolve

_HOMES = {
    "Components": "components",
    "DedupOptions": "options",
    "LineOptions": "options",
    "band_names": "options",
    "candidates": "bands",
    "cluster_sizes": "drops",
    "combine": "drops",
    "deduplicate": "inmemory",
    "exact_duplicates": "exact",
    "find_components": "components",
    "from_datasketch": "bridge",
    "of_unit": "drops",
    "rehydration_weights": "rehydration",
    "remove_repeated_lines": "lines",
    "resolve": "verdicts",
    "scurve": "options",
    "sign": "minhash",
    "to_datasketch": "bridge",
}

__all__ = [
    "Components",
    "DedupOptions",
    "LineOptions",
    "band_names",
    "candidates",
    "cluster_sizes",
    "combine",
    "deduplicate",
    "exact_duplicates",
    "find_components",
    "from_datasketch",
    "of_unit",
    "rehydration_weights",
    "remove_repeated_lines",
    "resolve",
    "scurve",
    "sign",
    "to_datasketch",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"tamis.dedup.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'tamis.dedup' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
