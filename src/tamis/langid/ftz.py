"""Quantized fastText files (`.ftz`, as fastText 0.9.2 writes them) read into the parts that the kernel runs."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.langid.quantized import FNV_BASIS, FNV_PRIME, Codes, Floats, Quantized

_MAGIC, _VERSION = 793712314, 12
_SOFTMAX, _SUPERVISED = 3, 3
_END = b"</s>"


def read(path: Path) -> Quantized | None:
    """Return the model in a file, None where it is of a kind that is left to the fastText library."""
    reader = _Reader(path.read_bytes())
    if reader.one("<i") != _MAGIC or reader.one("<i") != _VERSION:
        return None
    dim, _, _, _, _, word_ngrams, loss, model, buckets, minn, maxn, _ = reader.several("<12i")
    reader.one("<d")
    if (word_ngrams, loss, model) != (1, _SOFTMAX, _SUPERVISED) or minn < 2:
        return None
    words, labels, pruned = _dictionary(reader)
    if pruned >= 0 or not reader.one("<?"):
        return None
    codes, centroids, norms = _quantized_matrix(reader, dim)
    if reader.one("<?"):
        return None
    rows, columns = reader.several("<qq")
    output = reader.array(np.float32, rows * columns).reshape(rows, columns)
    if len(codes) != len(words) + buckets or buckets < 1:
        return None
    table, spelling, end = _word_table(words)
    options = np.array([minn, maxn, buckets, len(words), end], np.int64)
    return Quantized(labels, options, table, spelling, codes, centroids, norms, np.ascontiguousarray(output.T))


def _dictionary(reader: _Reader) -> tuple[list[bytes], tuple[str, ...], int]:
    size, word_count, _ = reader.several("<3i")
    _, pruned = reader.several("<qq")
    entries = []
    for _ in range(size):
        entries.append(reader.text())
        reader.several("<qb")
    return entries[:word_count], tuple(label.decode("utf-8", "replace") for label in entries[word_count:]), pruned


def _quantized_matrix(reader: _Reader, dim: int) -> tuple[Codes, Floats, Floats]:
    scaled = reader.one("<?")
    rows, _ = reader.several("<qq")
    codes = reader.array(np.uint8, reader.one("<i"))
    parts, size, centroids = _quantizer(reader)
    # fastText stores the last part at its own length; a part of full length with zeros adds the same.
    table = np.zeros((parts, 256, size), np.float32)
    for part in range(parts):
        width = min(size, dim - part * size)
        start = part * 256 * size
        table[part, :, :width] = centroids[start : start + 256 * width].reshape(256, width)
    norms, picked = np.ones(256, np.float32), np.zeros(rows, np.uint8)
    if scaled:
        picked = reader.array(np.uint8, rows)
        norms = np.ascontiguousarray(_quantizer(reader)[2])
    return np.ascontiguousarray(np.column_stack([codes.reshape(rows, parts), picked])), table, norms


def _quantizer(reader: _Reader) -> tuple[int, int, Floats]:
    dim, parts, size, _ = reader.several("<4i")
    return parts, size, reader.array(np.float32, dim * 256)


def _word_table(words: list[bytes]) -> tuple[npt.NDArray[np.int64], Codes, int]:
    rows = []
    start = 0
    for row, word in enumerate(words):
        rows.append((_hash(word), row, start, start + len(word)))
        start += len(word)
    table = np.array(sorted(rows) or np.zeros((0, 4)), np.int64).reshape(-1, 4)
    return table, np.frombuffer(b"".join(words) or b"\0", np.uint8), words.index(_END) if _END in words else -1


def _hash(word: bytes) -> int:
    value = FNV_BASIS
    for byte in word:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * FNV_PRIME) & 0xFFFFFFFF
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def several(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def one(self, form: str) -> Any:
        return self.several(form)[0]

    def text(self) -> bytes:
        end = self.data.index(b"\0", self.at)
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def array(self, kind: Any, count: int) -> Any:
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found
