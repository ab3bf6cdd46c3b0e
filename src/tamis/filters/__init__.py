"""Filters: signals measure, rules judge, rewrites edit, chains compose them; families of rules by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Bound at once, because the module of the same name would otherwise take its place when first imported.
from tamis.filters.signal import signal

if TYPE_CHECKING:
    from tamis.filters.badwords import bad_words
    from tamis.filters.boilerplate import boilerplate_lines
    from tamis.filters.c4 import c4_quality
    from tamis.filters.chain import Chain, Listed, Sifted, sift
    from tamis.filters.families import family
    from tamis.filters.fineweb import fineweb_quality
    from tamis.filters.gopher import gopher_quality
    from tamis.filters.lengths import ccnet_length, mc4_paragraphs
    from tamis.filters.nemo import nemo_rules
    from tamis.filters.pii import pii_masking
    from tamis.filters.redpajama import redpajama_signals
    from tamis.filters.refinedweb import refinedweb_lines
    from tamis.filters.registry import chains, load_module
    from tamis.filters.repetition import gopher_repetition
    from tamis.filters.rewrites import Rewrite, Rewritten, rewrite
    from tamis.filters.rule import Rule, keep
    from tamis.filters.signal import Signal, column, per_document, signals
    from tamis.filters.tables import build
    from tamis.filters.url import url_rules

# Families bring compiled kernels, so every name is loaded when first used.
_HOMES = {
    "Chain": "chain",
    "Listed": "chain",
    "sift": "chain",
    "Sifted": "chain",
    "family": "families",
    "build": "tables",
    "chains": "registry",
    "load_module": "registry",
    "Rewrite": "rewrites",
    "Rewritten": "rewrites",
    "rewrite": "rewrites",
    "Rule": "rule",
    "keep": "rule",
    "Signal": "signal",
    "column": "signal",
    "per_document": "signal",
    "signals": "signal",
    "c4_quality": "c4",
    "fineweb_quality": "fineweb",
    "gopher_quality": "gopher",
    "gopher_repetition": "repetition",
    "refinedweb_lines": "refinedweb",
    "ccnet_length": "lengths",
    "mc4_paragraphs": "lengths",
    "redpajama_signals": "redpajama",
    "nemo_rules": "nemo",
    "bad_words": "badwords",
    "boilerplate_lines": "boilerplate",
    "pii_masking": "pii",
    "url_rules": "url",
}

__all__ = [
    "Chain",
    "Listed",
    "Rewrite",
    "Rewritten",
    "Rule",
    "Sifted",
    "Signal",
    "bad_words",
    "boilerplate_lines",
    "build",
    "c4_quality",
    "ccnet_length",
    "chains",
    "column",
    "family",
    "fineweb_quality",
    "gopher_quality",
    "gopher_repetition",
    "keep",
    "load_module",
    "mc4_paragraphs",
    "nemo_rules",
    "per_document",
    "pii_masking",
    "redpajama_signals",
    "refinedweb_lines",
    "rewrite",
    "sift",
    "signal",
    "signals",
    "url_rules",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tamis.filters' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"tamis.filters.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
