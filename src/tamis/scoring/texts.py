"""Texts to token ids: a model folder's own tokenizer, texts of any length, in threads and without Python objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.errors import ModelError

# A text is handed to the tokenizer in pieces of this many characters, cut where white space begins: an encoding takes
# about a hundred bytes a token, and a 37 MB document would take gigabytes.
PIECE_CHARS = 1 << 16
# How far back from a piece's end white space is looked for.
_BACK = 1 << 10


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """Token ids of texts: `values` int32, and `offsets` int64 of shape (texts + 1,). No special tokens."""

    values: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Tokens of each text, shape (texts,)."""
        return np.diff(self.offsets)


class Vocabulary:
    """The tokenizer of a model folder.

    before, after: the special tokens a model wants round every window, as ids. pad: the id that fills padding.
    """

    def __init__(self, folder: Path, pad: int = 0) -> None:
        self._tokenizer = _load(folder)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.before, self.after = _marks(self._tokenizer)
        self.pad = pad

    def id(self, token: str) -> int | None:
        """Return the id of a token, None where there is none."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def encode(self, texts: pa.LargeStringArray) -> Ids:
        """Return the ids of texts; a null has none."""
        owners, pieces = [], []
        for row, text in enumerate(texts.to_pylist()):
            for piece in split(text or ""):
                owners.append(row)
                pieces.append(piece)
        found = [each.ids for each in self._encode(pieces)]
        sizes = np.array([len(ids) for ids in found], np.int64)
        counts = np.bincount(np.array(owners, np.int64), sizes, len(texts)).astype(np.int64)
        values = np.concatenate([np.zeros(0, np.int32), *(np.array(ids, np.int32) for ids in found)])
        return Ids(values.astype(np.int32, copy=False), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))

    def _encode(self, pieces: list[str]) -> list[Any]:
        fast = getattr(self._tokenizer, "encode_batch_fast", self._tokenizer.encode_batch)
        encoded: list[Any] = fast(pieces, add_special_tokens=False)
        return encoded


def split(text: str) -> Iterator[str]:
    """Yield a text in pieces of at most PIECE_CHARS characters, cut before white space where there is any near."""
    start = 0
    while len(text) - start > PIECE_CHARS:
        end = start + PIECE_CHARS
        cut = next((at for at in range(end, end - _BACK, -1) if text[at].isspace()), end)
        yield text[start:cut]
        start = cut
    if start < len(text):
        yield text[start:]


def _load(folder: Path) -> Any:
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(
            f"{folder} has no tokenizer.json.",
            "Save the tokenizer in its fast form: AutoTokenizer.from_pretrained(…).save_pretrained(folder).",
        )
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"{path} is not a tokenizer: {error}.", "Copy the model's folder anew.") from error


def _marks(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens before and after a text, learned from how the tokenizer wraps one letter."""
    inner = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a", add_special_tokens=True).ids
    for start in range(len(whole) - len(inner) + 1):
        if whole[start : start + len(inner)] == inner:
            return tuple(whole[:start]), tuple(whole[start + len(inner) :])
    return (), ()
