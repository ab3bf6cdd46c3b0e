"""Tokenize: texts in, exact token ids, Arrow shards and token counts out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tamis.tokenize.dataset import ShardSummary, ShardWriter, write_shard
    from tamis.tokenize.encode import Encoder, load
    from tamis.tokenize.folder import dataset_files
    from tamis.tokenize.separate import Separator, separator
    from tamis.tokenize.shards import ShardSpan, plan_shards

_HOMES = {
    "Encoder": "tamis.tokenize.encode",
    "load": "tamis.tokenize.encode",
    "Separator": "tamis.tokenize.separate",
    "separator": "tamis.tokenize.separate",
    "ShardSummary": "tamis.tokenize.dataset",
    "ShardWriter": "tamis.tokenize.dataset",
    "write_shard": "tamis.tokenize.dataset",
    "dataset_files": "tamis.tokenize.folder",
    "ShardSpan": "tamis.tokenize.shards",
    "plan_shards": "tamis.tokenize.shards",
}

__all__ = [
    "Encoder",
    "Separator",
    "ShardSpan",
    "ShardSummary",
    "ShardWriter",
    "dataset_files",
    "load",
    "plan_shards",
    "separator",
    "write_shard",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tamis.tokenize' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
