"""Encode texts with any `tokenizer.json`: exact ids from a fast engine, checked against the reference."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from tamis.columns import as_text
from tamis.errors import ConfigError
from tamis.tokenize.bpe import KernelEngine
from tamis.tokenize.definition import Definition, read, special_id
from tamis.tokenize.reference import Engine, ReferenceEngine

TokenType = Literal["uint16", "uint32"]

# Part of every fingerprint: raised when the same tokenizer file would give other ids.
_VERSION = 1
_DATA = files("tamis.tokenize") / "data"


class Encoder:
    """One tokenizer. Ids never include special tokens, whatever the text says: `<|endoftext|>` in a page is text.

    Nulls read as the empty text. Pickles as its path, so that each process loads the file once.
    """

    __slots__ = ("_decoder", "_definition", "_engine", "_reference", "dtype", "engine_note")

    def __init__(self, definition: Definition, dtype: TokenType | None = None, *, fast: bool = True) -> None:
        self._definition = definition
        self.dtype = token_type(definition.size, dtype)
        self._reference = ReferenceEngine(definition)
        self._decoder: Tokenizer | None = None
        self._engine, self.engine_note = (
            _choose(definition, self._reference) if fast else (self._reference, "asked for")
        )

    def __reduce__(self) -> tuple[object, tuple[str, str, bool]]:
        return _restore, (str(self._definition.path), str(self.dtype), self._engine is not self._reference)

    def count(self, texts: Sequence[str | None] | pa.Array) -> pa.Int64Array:
        """Return tokens per text, int64, shape (n,), special tokens not counted; 0 for null."""
        return pa.array(self._engine.count(as_text(texts)), pa.int64())

    def encode(self, texts: Sequence[str | None] | pa.Array) -> pa.LargeListArray:
        """Return ids per text, `large_list<uint16 | uint32>`; empty for null."""
        return self._lists(self._engine, as_text(texts))

    def encode_by_reference(self, texts: Sequence[str | None] | pa.Array) -> pa.LargeListArray:
        """Return what `encode` must return, computed by the reference engine."""
        return self._lists(self._reference, as_text(texts))

    def decode(self, ids: Sequence[int] | pa.Array) -> str:
        """Return the text of ids, special tokens spelt out; for byte-level tokenizers the inverse of `encode`."""
        numbers = ids.to_pylist() if isinstance(ids, pa.Array) else [int(number) for number in ids]
        if self._decoder is None:  # most processes never decode
            self._decoder = Tokenizer.from_str(json.dumps(self._definition.data))
        return str(self._decoder.decode(numbers, skip_special_tokens=False))

    def by_reference(self) -> Encoder:
        """Return the same tokenizer on the reference engine."""
        return Encoder(self._definition, str(self.dtype), fast=False)  # type: ignore[arg-type]

    def special_id(self, token: str) -> int:
        """Return the id of a special token by its text. Raises ModelError where there is none such."""
        return special_id(self._definition, token)

    @property
    def special_ids(self) -> dict[str, int]:
        """Every special token's id, by its text; `encode` returns none of them."""
        return dict(self._definition.special)

    @property
    def path(self) -> Path:
        """The tokenizer file."""
        return self._definition.path

    @property
    def vocab_size(self) -> int:
        """The largest id + 1, added tokens included."""
        return self._definition.size

    @property
    def checksum(self) -> str:
        """sha256 of the tokenizer file, hex."""
        return self._definition.checksum

    @property
    def bos_id(self) -> int | None:
        """The token that starts a document, or None."""
        return None if self._definition.begin is None else self._definition.special[self._definition.begin]

    @property
    def eos_id(self) -> int | None:
        """The token that ends a document, or None."""
        return None if self._definition.end is None else self._definition.special[self._definition.end]

    @property
    def engine(self) -> str:
        """The engine in use: `kernel` or `tokenizers`; `engine_note` says why where it is the latter."""
        return self._engine.name

    @property
    def fingerprint(self) -> str:
        """sha256 of all that the ids depend on; engines agree, so they are no part of it."""
        return hashlib.sha256(f"encode {_VERSION} {self.checksum}".encode()).hexdigest()

    def _lists(self, engine: Engine, texts: pa.LargeStringArray) -> pa.LargeListArray:
        lengths, ids = engine.encode(texts)
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return pa.LargeListArray.from_arrays(offsets, pa.array(ids.astype(str(self.dtype), copy=False)))


@cache
def load(name_or_path: str = "default", *, dtype: TokenType | None = None) -> Encoder:
    """Return the encoder of a tokenizer file, once per process; "default" is the one shipped.

    `dtype` forces the ids' type. Raises ModelError where the file cannot be used, ConfigError where ids do not fit.
    """
    return Encoder(read(tokenizer_path(name_or_path)), dtype)


def tokenizer_path(name_or_path: str) -> Path:
    """Return the file of a shipped tokenizer's name, or the path itself; for a folder, its `tokenizer.json`."""
    if name_or_path == "default":
        return Path(str(_DATA / "default" / "tokenizer.json"))
    path = Path(name_or_path)
    return path / "tokenizer.json" if path.is_dir() else path


def token_type(size: int, forced: str | None = None) -> pa.DataType:
    """Return uint16 where every id below `size` fits, else uint32; `forced` overrules, unless ids would wrap."""
    if forced not in (None, "uint16", "uint32"):
        raise ConfigError(f"Unknown token type {forced!r}.", "Use uint16 or uint32, or leave it out.")
    if forced == "uint16" and size > 1 << 16:
        raise ConfigError(f"uint16 cannot hold a vocabulary of {size}.", "Use uint32, or leave it out.")
    return pa.uint16() if forced == "uint16" or (forced is None and size <= 1 << 16) else pa.uint32()


def _restore(path: str, dtype: TokenType, fast: bool) -> Encoder:
    return load(path, dtype=dtype) if fast else Encoder(read(Path(path)), dtype, fast=False)


def _choose(definition: Definition, reference: ReferenceEngine) -> tuple[Engine, str]:
    """Return the fast engine where it knows the tokenizer and gives the reference's ids on the probes."""
    try:
        engine = KernelEngine(definition, reference)
    except ValueError as reason:
        return reference, f"no fast engine: {reason}"
    return (reference, "the fast engine's ids differ from tokenizers") if differs(engine, reference) else (engine, "")


def differs(engine: Engine, reference: Engine) -> bool:
    """Return whether two engines disagree on the probes: a line of text each, whole and cut, in many scripts."""
    lines = (_DATA / "probes.txt").read_text("utf-8").split("\n")
    texts = pa.array(
        [*lines, *(line[:cut] for line in lines for cut in (1, 7, 19)), "\n".join(lines)], pa.large_string()
    )
    lengths, ids = engine.encode(texts)
    right = reference.encode(texts)
    return not (np.array_equal(lengths, right[0]) and np.array_equal(ids, right[1]))
