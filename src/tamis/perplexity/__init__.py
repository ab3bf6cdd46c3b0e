"""Perplexity: language models trained, bound to their tokenizer and normaliser, calibrated, and asked for scores."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.perplexity.bundle import Bundle, load
    from tamis.perplexity.normalise import Normaliser
    from tamis.perplexity.training import Training, train

# Loading any of these brings compiled kernels, so each is loaded when first used.
_HOMES = {"Bundle": "bundle", "load": "bundle", "Normaliser": "normalise", "Training": "training", "train": "training"}

__all__ = ["Bundle", "Normaliser", "Training", "load", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tamis.perplexity' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tamis.perplexity.{_HOMES[name]}"), name)
