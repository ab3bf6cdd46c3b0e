"""The reference engine: Hugging Face `tokenizers`, whose ids are right by definition."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tokenizers import Tokenizer

from tamis.columns import text_buffers
from tamis.errors import ModelError
from tamis.tokenize.definition import Definition, neutral

Ids = npt.NDArray[np.unsignedinteger[Any]]
Lengths = npt.NDArray[np.int64]

# An Encoding weighs some twenty times its text, so no more than this much text is encoded at once.
CALL_BYTES = 1 << 20


class Engine(Protocol):
    """Turns texts into ids, never a special one."""

    name: str

    def encode(self, texts: pa.LargeStringArray) -> tuple[Lengths, Ids]:
        """Return tokens per text, shape (n,), and all ids in one row, shape (sum of lengths,); null reads as empty."""
        ...

    def count(self, texts: pa.LargeStringArray) -> Lengths:
        """Return tokens per text, shape (n,)."""
        ...


class ReferenceEngine:
    """`tokenizers` on a definition without special tokens, one thread, bounded calls."""

    name = "tokenizers"

    def __init__(self, definition: Definition) -> None:
        # One thread per worker, as everywhere in a run; a user's own setting is respected.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        try:
            self._tokenizer = Tokenizer.from_str(neutral(definition))
            self._tokenizer.encode_special_tokens = True  # not even a page that quotes the new names gets one
        except Exception as error:  # the binding raises bare Exception
            hint = "The installed tokenizers release cannot load it; was it written by a newer one?"
            raise ModelError(f"{definition.path} is not a usable tokenizer: {error}.", hint) from error
        for token in definition.data.get("added_tokens") or ():
            number = self._tokenizer.token_to_id(token["content"])
            if not token.get("special") and number != token["id"]:
                hint = "Its added tokens leave a gap that the library closes; list them without one."
                raise ModelError(f"{definition.path}: {token['content']!r} is {number}, not {token['id']}.", hint)

    def encode(self, texts: pa.LargeStringArray) -> tuple[Lengths, Ids]:
        """Return tokens per text and all ids one after another."""
        lengths: list[int] = []
        parts: list[Ids] = []
        for part in calls(texts):
            for encoding in self._tokenizer.encode_batch_fast(_strings(part), add_special_tokens=False):
                ids = np.array(encoding.ids, np.uint32)
                lengths.append(len(ids))
                parts.append(ids)
        return np.array(lengths, np.int64), np.concatenate(parts) if parts else np.zeros(0, np.uint32)

    def count(self, texts: pa.LargeStringArray) -> Lengths:
        """Return tokens per text."""
        lengths = [
            len(encoding)
            for part in calls(texts)
            for encoding in self._tokenizer.encode_batch_fast(_strings(part), add_special_tokens=False)
        ]
        return np.array(lengths, np.int64)


def calls(texts: pa.LargeStringArray, limit: int = CALL_BYTES) -> Iterator[pa.LargeStringArray]:
    """Yield slices of at most `limit` bytes of text; one text may exceed it."""
    offsets, _ = text_buffers(texts)
    start = 0
    while start < len(texts):
        end = max(start + 1, int(np.searchsorted(offsets, offsets[start] + limit, side="right")) - 1)
        end = min(end, len(texts))
        yield texts.slice(start, end - start)
        start = end


def _strings(texts: pa.LargeStringArray) -> list[str]:
    return [text or "" for text in texts.to_pylist()]
