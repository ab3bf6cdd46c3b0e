"""Quantized fastText classifiers read from their files and run by a kernel: the same answers, many windows at a time.

Follows fastText 0.9.2 (Joulin et al. 2016, arXiv:1612.03651, section 3): FNV-1a hashes of character n-grams pick rows
of a product-quantized matrix, whose mean goes through a softmax. We differ in speed alone: an n-gram's hash continues
the shorter one's instead of starting over, no string is built, words are remembered, and only labels that the text's
script admits are ranked.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import text_buffers
from tamis.text.kernel import kernel

_MAGIC, _VERSION = 793712314, 12
_SOFTMAX, _SUPERVISED = 3, 3
_FNV_BASIS, _FNV_PRIME = 2166136261, 16777619
_END = b"</s>"
# Tokens of fewer bytes than this are remembered within a batch.
REMEMBERED = 24

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A classifier's parts, as the kernel reads them.

    labels: as the model has them.
    options: int64 (minn, maxn, buckets, words, row of the end-of-line word or -1).
    words: int64 of shape (words, 4), sorted by hash: hash, row, start and end in `spelling`.
    codes: uint8 of shape (rows, parts), which centroid stands for each part of a row's direction.
    centroids: float32 of shape (parts, 256, part size); norms: float32 of shape (rows,).
    output: float32 of shape (dimensions, labels).
    """

    labels: tuple[str, ...]
    options: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    spelling: Codes
    codes: Codes
    centroids: Floats
    norms: Floats
    output: Floats

    def predict(
        self, texts: pa.LargeStringArray, allowed: npt.NDArray[np.bool_], kinds: npt.NDArray[np.int64], best: int
    ) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
        """Return the `best` likeliest admitted labels of each text, their probabilities, and that of all admitted ones.

        `allowed[kinds[i]]` says which labels text i may get. Shapes are (n, best), (n, best) and (n,); missing labels
        are -1 with probability 0.
        """
        offsets, data = text_buffers(texts)
        found = np.full((len(texts), best), -1, np.int64)
        chances = np.zeros((len(texts), best), np.float32)
        mass = np.zeros(len(texts), np.float32)
        slots = 1 << min(15, max(4, 4 * len(texts)).bit_length())
        keys = np.zeros((slots, REMEMBERED), np.uint8)
        sums = np.empty((slots, self.centroids.shape[0] * self.centroids.shape[2]), np.float32)
        counts = np.zeros(slots, np.int64)
        _predict(
            offsets, data, self.options, self.words, self.spelling, self.codes, self.centroids, self.norms, self.output,
            allowed, kinds, keys, sums, counts, found, chances, mass,
        )  # fmt: skip
        return found, chances, mass


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
    norms = np.ones(rows, np.float32)
    if scaled:
        picked = reader.array(np.uint8, rows)
        norms = np.ascontiguousarray(_quantizer(reader)[2][picked])
    return np.ascontiguousarray(codes.reshape(rows, parts)), table, norms


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
    value = _FNV_BASIS
    for byte in word:
        value = ((value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * _FNV_PRIME) & 0xFFFFFFFF
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


@kernel
def _add(row: int, codes: Any, centroids: Any, norms: Any, into: Any) -> None:
    """Add a row of the quantized matrix to `into`, whose length is a whole number of parts."""
    norm = norms[row]
    size = centroids.shape[2]
    place = 0
    for part in range(codes.shape[1]):
        code = codes[row, part]
        for step in range(size):
            into[place] += norm * centroids[part, code, step]
            place += 1


@kernel
def _word(token: Any, size: int, value: Any, words: Any, spelling: Any) -> int:
    """The row of a known word, -1 for others; `token` has a mark before and after its `size` bytes."""
    low, high = 0, len(words)
    while low < high:
        middle = (low + high) // 2
        if words[middle, 0] < value:
            low = middle + 1
        else:
            high = middle
    while low < len(words) and words[low, 0] == value:
        same = words[low, 3] - words[low, 2] == size
        for index in range(size):
            if not same:
                break
            same = spelling[words[low, 2] + index] == token[1 + index]
        if same:
            return int(words[low, 1])
        low += 1
    return -1


@kernel
def _step(value: Any, byte: Any) -> Any:
    """One byte of FNV-1a; fastText sign-extends it."""
    wide = np.uint32(byte) if byte < 128 else np.uint32(byte) | np.uint32(0xFFFFFF00)
    return np.uint32((np.uint32(value) ^ wide) * np.uint32(_FNV_PRIME))


@kernel
def _token(
    token: Any, size: int, value: Any, options: Any, words: Any, spelling: Any, codes: Any, centroids: Any, norms: Any,
    into: Any,
) -> int:  # fmt: skip
    """Add the rows of one token and of its n-grams to `into`; return how many. `token` stands between < and >."""
    minn, maxn, buckets, known = options[0], options[1], np.uint32(options[2]), options[3]
    count = 0
    row = _word(token, size, value, words, spelling)
    if row >= 0:
        _add(row, codes, centroids, norms, into)
        count += 1
    end = size + 2
    for first in range(end):
        if token[first] & 0xC0 == 0x80:
            continue
        value = np.uint32(_FNV_BASIS)
        at = first
        length = 1
        while at < end and length <= maxn:
            value = _step(value, token[at])
            at += 1
            while at < end and token[at] & 0xC0 == 0x80:
                value = _step(value, token[at])
                at += 1
            if length >= minn:
                _add(known + np.int64(value % buckets), codes, centroids, norms, into)
                count += 1
            length += 1
    return count


@kernel
def _predict(
    offsets: Any, data: Any, options: Any, words: Any, spelling: Any, codes: Any, centroids: Any, norms: Any,
    output: Any, allowed: Any, kinds: Any, keys: Any, sums: Any, counts: Any, found: Any, chances: Any, mass: Any,
) -> None:  # fmt: skip
    """Predict every text; a token ends at a space alone, because windows have no other white space.

    `keys`, `sums` and `counts` remember what short tokens came to: words repeat, and a token's rows are always summed
    apart from the rest of the text, so that what is remembered changes no answer. Long, because every array it works
    on would have to travel through each part it could be split into.
    """
    dim, labels = output.shape
    hidden = np.zeros(sums.shape[1], np.float32)
    scores = np.zeros(labels, np.float32)
    fresh = np.zeros(sums.shape[1], np.float32)
    token = np.full(1, 0x3C, np.uint8)
    slots = len(keys)
    for text in range(len(offsets) - 1):
        hidden[:] = 0
        count = 0
        at, end = offsets[text], offsets[text + 1]
        if len(token) < end - at + 2:
            token = np.full(end - at + 64, 0x3C, np.uint8)
        while at < end:
            if data[at] == 0x20:
                at += 1
                continue
            size = 0
            value = np.uint32(_FNV_BASIS)
            while at < end and data[at] != 0x20:
                size += 1
                token[size] = data[at]
                value = _step(value, data[at])
                at += 1
            token[size + 1] = 0x3E
            if size < REMEMBERED:
                slot = np.int64(value) % slots
                same = keys[slot, 0] == size
                for index in range(1, size + 1):
                    if not same:
                        break
                    same = keys[slot, index] == token[index]
                if not same:
                    keys[slot, 0] = size
                    for index in range(1, size + 1):
                        keys[slot, index] = token[index]
                    sums[slot, :] = 0
                    counts[slot] = _token(
                        token, size, value, options, words, spelling, codes, centroids, norms, sums[slot]
                    )
                hidden += sums[slot]
                count += counts[slot]
            else:
                fresh[:] = 0
                count += _token(token, size, value, options, words, spelling, codes, centroids, norms, fresh)
                hidden += fresh
        if options[4] >= 0:
            _add(options[4], codes, centroids, norms, hidden)
            count += 1
        if count == 0:
            continue
        scores[:] = 0
        for place in range(dim):
            scores += output[place] * (hidden[place] / np.float32(count))
        most = np.float32(-np.inf)
        for label in range(labels):
            most = max(most, scores[label])
        total = np.float32(0)
        for label in range(labels):
            scores[label] = np.exp(scores[label] - most)
            total += scores[label]
        for label in range(labels):
            if not allowed[kinds[text], label]:
                continue
            chance = scores[label] / total
            mass[text] += chance
            place = found.shape[1]
            while place > 0 and (found[text, place - 1] < 0 or chances[text, place - 1] < chance):
                place -= 1
                if place + 1 < found.shape[1]:
                    found[text, place + 1], chances[text, place + 1] = found[text, place], chances[text, place]
                found[text, place], chances[text, place] = label, chance
