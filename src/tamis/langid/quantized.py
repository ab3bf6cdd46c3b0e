"""Quantized fastText classifiers run by a kernel: the same answers, many windows at a time.

Follows fastText 0.9.2 (Joulin et al. 2016, arXiv:1612.03651, section 3): FNV-1a hashes of character n-grams pick rows
of a product-quantized matrix, whose mean goes through a softmax. We differ in speed alone: an n-gram's hash continues
the shorter one's instead of starting over, no string is built, words are remembered, and only labels that the text's
script admits are ranked.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import text_buffers
from tamis.text.kernel import proven_kernel

FNV_BASIS, FNV_PRIME = 2166136261, 16777619
# Tokens of fewer bytes than this are remembered, so many of them.
REMEMBERED = 24
SLOTS = 1 << 16

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """A classifier's parts, as the kernel reads them.

    labels: as the model has them.
    options: int64 (minn, maxn, buckets, words, row of the end-of-line word or -1).
    words: int64 of shape (words, 4), sorted by hash: hash, row, start and end in `spelling`.
    codes: uint8 of shape (rows, parts + 1), which centroid stands for each part of a row's direction, and at last which
        norm it has: all that is known of a row lies together, because looking it up costs a trip to memory.
    centroids: float32 of shape (parts, 256, part size); norms: float32 of shape (256,).
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
    memory: threading.local = field(default_factory=threading.local)

    def predict(
        self, texts: pa.LargeStringArray, allowed: npt.NDArray[np.bool_], kinds: npt.NDArray[np.int64], best: int
    ) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
        """Return the `best` likeliest admitted labels of each text, their probabilities, and that of all admitted ones.

        `allowed[kinds[i]]` says which labels text i may get; where that is one, it is the answer with probability 1,
        because nothing that the text says could change it. Shapes are (n, best), (n, best) and (n,); missing labels are
        -1 with probability 0.

        Raises:
            IndexError: a kind is not in `allowed`.
        """
        offsets, data = text_buffers(texts)
        found = np.full((len(texts), best), -1, np.int64)
        chances = np.zeros((len(texts), best), np.float32)
        mass = np.zeros(len(texts), np.float32)
        if len(kinds) != len(texts) or (len(kinds) and not 0 <= kinds.min() <= kinds.max() < len(allowed)):
            raise IndexError("a text of a kind that `allowed` does not have")
        keys, sums, counts = self._memory()
        _predict(
            offsets, data, self.options, self.words, self.spelling, self.codes, self.centroids, self.norms, self.output,
            allowed, _only(allowed), kinds, keys, sums, counts, found, chances, mass,
        )  # fmt: skip
        return found, chances, mass

    def forget(self) -> None:
        """Forget what this thread remembers of tokens; answers stay the same, and the next ones take longer."""
        self.memory.__dict__.clear()

    def _memory(self) -> tuple[Codes, Floats, npt.NDArray[np.int64]]:
        """What this thread remembers: tokens, the sums of their rows, and how many rows; 10 MB."""
        held = self.memory.__dict__
        if not held:
            held["keys"] = np.zeros((SLOTS, REMEMBERED), np.uint8)
            held["sums"] = np.zeros((SLOTS, self.centroids.shape[0] * self.centroids.shape[2]), np.float32)
            held["counts"] = np.zeros(SLOTS, np.int64)
        return held["keys"], held["sums"], held["counts"]


def _only(allowed: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """For each kind the one label that it admits, -1 where there are several, -2 where there is none."""
    count = allowed.sum(axis=1)
    return np.where(count == 1, allowed.argmax(axis=1), np.where(count == 0, -2, -1)).astype(np.int64)


@proven_kernel
def _add(row: int, codes: Any, centroids: Any, norms: Any, into: Any) -> None:
    """Add a row of the quantized matrix to `into`, whose length is a whole number of parts.

    `ftz.read` has seen that every row a word or n-gram can stand for is there; a code is a byte, and tables have 256
    places.
    """
    parts, size = codes.shape[1] - 1, centroids.shape[2]
    norm = norms[codes[row, parts]]
    if size == 2:
        # Two at a time by name: the compiler makes one load, one product and one sum of them.
        for part in range(parts):
            code = codes[row, part]
            into[2 * part] += norm * centroids[part, code, 0]
            into[2 * part + 1] += norm * centroids[part, code, 1]
        return
    for part in range(parts):
        code = codes[row, part]
        for step in range(size):
            into[part * size + step] += norm * centroids[part, code, step]


@proven_kernel
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


@proven_kernel
def _step(value: Any, byte: Any) -> Any:
    """One byte of FNV-1a; fastText sign-extends it."""
    wide = np.uint32(byte) if byte < 128 else np.uint32(byte) | np.uint32(0xFFFFFF00)
    return np.uint32((np.uint32(value) ^ wide) * np.uint32(FNV_PRIME))


@proven_kernel
def _token(
    token: Any, size: int, value: Any, options: Any, words: Any, spelling: Any, codes: Any, centroids: Any, norms: Any,
    rows: Any, into: Any,
) -> int:  # fmt: skip
    """Add the rows of one token and of its n-grams to `into`; return how many. `token` stands between < and >.

    `rows` has room for as many as `maxn` for each byte. They are all named before the first is added, and touched once
    each, so that their trips to memory overlap: one after the other they took most of the time.
    """
    minn, maxn, buckets, known = options[0], options[1], np.uint32(options[2]), options[3]
    count = 0
    row = _word(token, size, value, words, spelling)
    if row >= 0:
        rows[0] = row
        count = 1
    end = size + 2
    for first in range(end):
        if token[first] & 0xC0 == 0x80:
            continue
        value = np.uint32(FNV_BASIS)
        at = first
        length = 1
        while at < end and length <= maxn:
            value = _step(value, token[at])
            at += 1
            while at < end and token[at] & 0xC0 == 0x80:
                value = _step(value, token[at])
                at += 1
            if length >= minn:
                rows[count] = known + np.int64(value % buckets)
                count += 1
            length += 1
    touched = 0
    for index in range(count):
        touched += codes[rows[index], 0]
    for index in range(count if touched >= 0 else 0):
        _add(rows[index], codes, centroids, norms, into)
    return count


@proven_kernel
def _softmax(hidden: Any, count: Any, output: Any, scores: Any) -> Any:
    """Fill `scores` with the exponentials of the labels' scores, and return their sum."""
    dim, labels = output.shape
    scores[:] = 0
    for place in range(dim):
        value = hidden[place] / count
        for label in range(labels):
            scores[label] += output[place, label] * value
    most = np.float32(-np.inf)
    for label in range(labels):
        most = max(most, scores[label])
    total = np.float32(0)
    for label in range(labels):
        scores[label] = np.exp(scores[label] - most)
        total += scores[label]
    return total


@proven_kernel
def _recalled(
    token: Any, size: int, value: Any, options: Any, words: Any, spelling: Any, codes: Any, centroids: Any, norms: Any,
    rows: Any, keys: Any, sums: Any, counts: Any,
) -> int:  # fmt: skip
    """The slot that holds what a short token's rows come to, remembered or computed now.

    Slots go in pairs: a new token takes the first of its pair, and what was there goes to the second.
    """
    first = 2 * (np.int64(value) % (len(keys) // 2))
    for slot in range(first, first + 2):
        same = keys[slot, 0] == size
        for index in range(1, size + 1):
            if not same:
                break
            same = keys[slot, index] == token[index]
        if same:
            return int(slot)
    keys[first + 1, :] = keys[first, :]
    sums[first + 1, :] = sums[first, :]
    counts[first + 1] = counts[first]
    keys[first, 0] = size
    for index in range(1, size + 1):
        keys[first, index] = token[index]
    sums[first, :] = 0
    counts[first] = _token(
        token, size, value, options, words, spelling, codes, centroids, norms, rows, sums[first]
    )  # fmt: skip
    return int(first)


@proven_kernel
def _rank(label: int, chance: Any, labels: Any, chances: Any) -> None:
    """Put a label where it belongs among the best, which are in order."""
    place = len(labels)
    while place > 0 and (labels[place - 1] < 0 or chances[place - 1] < chance):
        place -= 1
        if place + 1 < len(labels):
            labels[place + 1], chances[place + 1] = labels[place], chances[place]
        labels[place], chances[place] = label, chance


@proven_kernel
def _predict(
    offsets: Any, data: Any, options: Any, words: Any, spelling: Any, codes: Any, centroids: Any, norms: Any,
    output: Any, allowed: Any, only: Any, kinds: Any, keys: Any, sums: Any, counts: Any, found: Any, chances: Any,
    mass: Any,
) -> None:  # fmt: skip
    """Predict every text; a token ends at a space alone, because windows have no other white space.

    `keys`, `sums` and `counts` remember what short tokens came to: words repeat, and a token's rows are always summed
    apart from the rest of the text, so that what is remembered changes no answer. `token` has room for a whole text and
    its two marks, `rows` for `maxn` n-grams and a word from each of its bytes, and `predict` has compared kinds with
    `allowed`. Long, because every array it works on would have to travel through each part it could be split into.
    """
    labels = output.shape[1]
    hidden = np.zeros(sums.shape[1], np.float32)
    scores = np.zeros(labels, np.float32)
    fresh = np.zeros(sums.shape[1], np.float32)
    token = np.full(1, 0x3C, np.uint8)
    rows = np.zeros(1, np.int64)
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        if only[kinds[text]] != -1:
            if only[kinds[text]] >= 0 and end > at:
                found[text, 0], chances[text, 0], mass[text] = only[kinds[text]], 1, 1
            continue
        hidden[:] = 0
        count = 0
        if len(token) < end - at + 2:
            token = np.full(end - at + 64, 0x3C, np.uint8)
            rows = np.zeros(len(token) * (options[1] + 1), np.int64)
        while at < end:
            if data[at] == 0x20:
                at += 1
                continue
            size = 0
            value = np.uint32(FNV_BASIS)
            while at < end and data[at] != 0x20:
                size += 1
                token[size] = data[at]
                value = _step(value, data[at])
                at += 1
            token[size + 1] = 0x3E
            if size < REMEMBERED:
                slot = _recalled(
                    token, size, value, options, words, spelling, codes, centroids, norms, rows, keys, sums, counts
                )
                hidden += sums[slot]
                count += counts[slot]
            else:
                fresh[:] = 0
                count += _token(token, size, value, options, words, spelling, codes, centroids, norms, rows, fresh)
                hidden += fresh
        if options[4] >= 0:
            _add(options[4], codes, centroids, norms, hidden)
            count += 1
        if count == 0:
            continue
        total = _softmax(hidden, np.float32(count), output, scores)
        for label in range(labels):
            if allowed[kinds[text], label]:
                chance = scores[label] / total
                mass[text] += chance
                _rank(label, chance, found[text], chances[text])
