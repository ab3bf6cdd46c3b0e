"""Read SentencePiece `.model` files: the protobuf becomes a `tokenizer.json`, Unigram or BPE with byte fallback.

The message is google/sentencepiece, src/sentencepiece_model.proto; only the fields named here are read. The steps
around the model are those of SpmConverter in transformers (convert_slow_tokenizer.py), which tokenizers was made for.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tamis.tokenize.ranks import special

_UNIGRAM, _BPE = 1, 2
_UNKNOWN, _CONTROL, _USER, _BYTE = 2, 3, 4, 6
_SPACE = "▁"


@dataclass(slots=True)
class Model:
    """What a model file says; field numbers of the message in comments."""

    pieces: list[tuple[str, float, int]] = field(default_factory=list)  # 1: piece 1, score 2, type 3
    kind: int = _UNIGRAM  # 2.3
    byte_fallback: bool = False  # 2.35
    charsmap: bytes = b""  # 3.2
    prefix: bool = True  # 3.3 add_dummy_prefix
    tidy: bool = True  # 3.4 remove_extra_whitespaces


def parse(payload: bytes) -> Model:
    """Return the model of a file's bytes. Raises ValueError where they are no such message."""
    model = Model()
    for number, value in _fields(payload):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            inner = dict(_fields(value))
            (score,) = struct.unpack("<f", inner.get(2, b"\0\0\0\0"))
            model.pieces.append((inner[1].decode(), score, inner.get(3, 1)))
        elif number == 2:
            inner = dict(_fields(value))
            model.kind, model.byte_fallback = inner.get(3, _UNIGRAM), bool(inner.get(35, 0))
        elif number == 3:
            inner = dict(_fields(value))
            model.charsmap = inner.get(2, b"")
            model.prefix, model.tidy = bool(inner.get(3, 1)), bool(inner.get(4, 1))
    if not model.pieces or model.kind not in (_UNIGRAM, _BPE):
        raise ValueError("no SentencePiece model of kind Unigram or BPE")
    return model


def _fields(payload: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) of a message: varints as int, all else as bytes."""
    at = 0
    while at < len(payload):
        tag, at = _varint(payload, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(payload, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = _varint(payload, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or at + size > len(payload):
            raise ValueError("not a protobuf message")
        yield tag >> 3, payload[at : at + size]
        at += size


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(payload):
            break
        value |= (payload[at] & 0x7F) << shift
        at += 1
        if payload[at - 1] < 0x80:
            return value, at
    raise ValueError("not a protobuf message")


def from_model(payload: bytes) -> dict[str, Any]:
    """Return the definition of a `.model` file as `tokenizer.json` has it. Raises ValueError for a damaged file."""
    model = parse(payload)
    unknown = next((number for number, piece in enumerate(model.pieces) if piece[2] == _UNKNOWN), None)
    added = [
        special(content, number, is_special=kind != _USER)
        for number, (content, _, kind) in enumerate(model.pieces)
        if kind in (_UNKNOWN, _CONTROL, _USER)
    ]
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if model.prefix else []
    restore = {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "}
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(model)},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [restore, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip]},
        "model": _unigram(model, unknown) if model.kind == _UNIGRAM else _bpe(model, unknown),
    }


def _normalizers(model: Model) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    if model.charsmap:
        steps.append({"type": "Precompiled", "precompiled_charsmap": base64.b64encode(model.charsmap).decode()})
    if model.tidy:
        steps.append({"type": "Replace", "pattern": {"Regex": "^ +| +$"}, "content": ""})
        steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
    if model.prefix:  # Metaspace would not prepend to a text that starts with a space
        steps.append({"type": "Prepend", "prepend": _SPACE})
    steps.append({"type": "Replace", "pattern": {"String": " "}, "content": _SPACE})
    return steps


def _unigram(model: Model, unknown: int | None) -> dict[str, Any]:
    vocab = [[content, score] for content, score, _ in model.pieces]
    return {"type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": model.byte_fallback}


def _bpe(model: Model, unknown: int | None) -> dict[str, Any]:
    """Return the BPE: SentencePiece merges the pair that makes the piece of the best score."""
    vocab = {content: number for number, (content, _, _) in enumerate(model.pieces)}
    mergeable = {
        content: vocab[content] for content, _, kind in model.pieces if kind not in (_CONTROL, _UNKNOWN, _BYTE)
    }
    scored = sorted(
        ((-score, content) for content, score, kind in model.pieces if content in mergeable and kind != _USER),
        key=lambda each: each[0],
    )
    merges = [list(pair) for _, content in scored for pair in _splits(content, mergeable)]
    return {
        "type": "BPE",
        "unk_token": None if unknown is None else model.pieces[unknown][0],
        "fuse_unk": True,
        "byte_fallback": model.byte_fallback,
        "vocab": vocab,
        "merges": merges,
    }


def _splits(content: str, vocab: dict[str, int]) -> list[tuple[str, str]]:
    pairs = [(content[:cut], content[cut:]) for cut in range(1, len(content))]
    return sorted(
        (pair for pair in pairs if pair[0] in vocab and pair[1] in vocab), key=lambda p: (vocab[p[0]], vocab[p[1]])
    )
