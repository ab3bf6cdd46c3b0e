"""`Identifier` and `identify` by another name: a module that can be called, so that it hides no function."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType

import pyarrow as pa

from tamis.langid.identifier import IDENTIFIED, Identifier, identify

__all__ = ["IDENTIFIED", "Identifier", "identify"]


class _Callable(ModuleType):
    # Importing this module puts it where `tamis.langid.identify`, the function, is looked up.
    def __call__(self, texts: Sequence[str | None] | pa.Array, *, model: str = "default") -> pa.StructArray:
        return identify(texts, model=model)


sys.modules[__name__].__class__ = _Callable
