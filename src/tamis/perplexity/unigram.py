"""SentencePiece unigram models read and encoded without SentencePiece: model file to arrays, lines to piece ids.

Kudo 2018, arXiv 1804.10959; the model file is a protocol buffer (`sentencepiece_model.proto`). We follow
`unigram_model.cc` (`EncodeOptimized`) and `normalizer.cc` of SentencePiece 0.2 to the single-precision addition, so
that ids are the same; models of another kind (BPE, byte fallback, user-defined symbols) are left to the library.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tamis.errors import ModelError

_NORMAL, _UNKNOWN, _USER_DEFINED, _BYTE = 1, 2, 4, 6
_UNIGRAM = 1
# Of the path through a character that no piece covers, below the least likely piece.
UNKNOWN_PENALTY = 10.0

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Unigram:
    """A unigram model as arrays.

    `pieces` are the texts by id and `scores` their log probabilities, float32. `base`/`check`/`value` are a
    double-array trie over the pieces' UTF-8 bytes: from node s, byte b leads to t = base[s] + b where check[t] = s, and
    value[t] is the piece that ends there or -1. `charsmap` is SentencePiece's own double array over byte sequences to
    be replaced, each by a zero-terminated run of `charsmap_out`.
    """

    pieces: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    unknown: int
    base: Ints
    check: Ints
    value: Ints
    charsmap: npt.NDArray[np.uint32]
    charsmap_out: npt.NDArray[np.uint8]
    unknown_score: np.float32
    encodable: bool  # whether the kernels here give the library's ids


def read(path: Path) -> Unigram:
    """Return the model of a `.model` file. Raises ModelError where it is not one."""
    try:
        return parse(path.read_bytes())
    except (ValueError, IndexError, struct.error, UnicodeDecodeError, OSError) as error:
        raise ModelError(
            f"{path} is not a SentencePiece model: {error}.", "Give the .model file of spm_train."
        ) from error


def parse(data: bytes) -> Unigram:
    """Return the model in the bytes of a `.model` file. Raises ValueError where it is not one."""
    pieces: list[str] = []
    scores: list[float] = []
    kinds: list[int] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, field in _fields(data):
        if number == 1 and isinstance(field, bytes):
            piece = dict(_fields(field))
            pieces.append(_bytes(piece.get(1, b"")).decode())
            scores.append(struct.unpack("<f", _bytes(piece.get(2, b"\0\0\0\0")))[0])
            kinds.append(int(piece.get(3, _NORMAL)))
        elif number == 2 and isinstance(field, bytes):
            trainer = dict(_fields(field))
        elif number == 3 and isinstance(field, bytes):
            normalizer = dict(_fields(field))
    if not pieces or _UNKNOWN not in kinds:
        raise ValueError("no pieces, or none for what is unknown")
    trie = {piece.encode(): number for number, piece in enumerate(pieces) if kinds[number] == _NORMAL}
    base, check, value = double_array(trie)
    charsmap, out = _charsmap(_bytes(normalizer.get(2, b"")))
    table = np.array(scores, np.float32)
    least = table[np.array(kinds) == _NORMAL].min() if trie else np.float32(0)
    plain = trainer.get(3, _UNIGRAM) == _UNIGRAM and not {_USER_DEFINED, _BYTE} & set(kinds)
    standard = all(normalizer.get(each, 1) for each in (3, 4, 5)) and not trainer.get(24, 0)
    unknown = kinds.index(_UNKNOWN)
    return Unigram(
        tuple(pieces), table, unknown, base, check, value, charsmap, out,
        np.float32(least - np.float32(UNKNOWN_PENALTY)), bool(plain and standard and trie),
    )  # fmt: skip


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the (number, value) of a protocol buffer's fields: numbers as int, the rest as bytes."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        if tag & 7 == 0:
            number, position = _varint(data, position)
            yield tag >> 3, number
            continue
        if tag & 7 == 2:
            size, position = _varint(data, position)
        elif tag & 7 in (1, 5):
            size = 8 if tag & 7 == 1 else 4
        else:
            raise ValueError(f"wire type {tag & 7} at byte {position}")
        if position + size > len(data):
            raise ValueError("it ends inside a field")
        yield tag >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    found = shift = 0
    while shift < 64:
        byte = data[position]
        position += 1
        found |= (byte & 127) << shift
        if byte < 128:
            return found, position
        shift += 7
    raise ValueError(f"a number without end at byte {position}")


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a number stands where text is expected")
    return value


def _charsmap(data: bytes) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8]]:
    """Return the double array and the replacement texts of a precompiled map; both empty for an identity."""
    if not data:
        return np.zeros(0, np.uint32), np.zeros(0, np.uint8)
    (size,) = struct.unpack_from("<I", data)
    # The zero at the end is what a kernel relies on that checks no bounds.
    replacements = np.append(np.frombuffer(data, np.uint8, offset=4 + size), np.uint8(0))
    return np.frombuffer(data, "<u4", size // 4, 4).copy(), replacements


def double_array(keys: dict[bytes, int]) -> tuple[Ints, Ints, Ints]:
    """Return (base, check, value) of the trie over `keys`; see Unigram."""
    children: list[dict[int, int]] = [{}]
    ends = [-1]
    for key, number in keys.items():
        node = 0
        for byte in key:
            if byte not in children[node]:
                children[node][byte] = len(children)
                children.append({})
                ends.append(-1)
            node = children[node][byte]
        ends[node] = number
    return _placed(children, ends)


def _placed(children: list[dict[int, int]], ends: list[int]) -> tuple[Ints, Ints, Ints]:
    """Give every node a slot: broadest nodes first, each at the first base where all of its children fit."""
    size = len(children) * 2 + 512
    base, check, value = np.zeros(size, np.int32), np.full(size, -1, np.int32), np.full(size, -1, np.int32)
    slot = {0: 0}
    check[0] = 0
    # The first free slot that a base of 1 or more reaches by any byte: lower ones would stay free, and be tried again.
    order, start = [0], 256
    for node in order:
        if not children[node]:
            continue
        here = slot[node]
        bytes_ = sorted(children[node])
        low = max(start - bytes_[0], 1)
        while any(low + byte < size and check[low + byte] >= 0 for byte in bytes_):
            low += 1
        if low + 256 >= size:
            size = size * 3 // 2 + 512
            base, check, value = (_longer(base, size, 0), _longer(check, size, -1), _longer(value, size, -1))
        base[here] = low
        for byte in bytes_:
            child = children[node][byte]
            slot[child] = low + byte
            check[low + byte] = here
            value[low + byte] = ends[child]
            order.append(child)
        while start < size and check[start] >= 0:
            start += 1
    return base, check, value


def _longer(array: Ints, size: int, fill: int) -> Ints:
    return np.concatenate([array, np.full(size - len(array), fill, np.int32)])
