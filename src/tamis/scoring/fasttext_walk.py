"""Kernels that walk texts as fastText does: words, their character n-grams and word n-grams, as rows of a matrix.

Follows fastText 0.9.2, `Dictionary::getLine` (Joulin et al. 2016, arXiv:1607.01759). We differ in that line ends are
white space, so that a document is one line, and in that a text is walked where it lies.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tamis.text.kernel import kernel

_BASIS = np.uint32(2166136261)
_PRIME = np.uint32(16777619)
_NGRAM = np.uint64(116049371)

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@kernel
def hash_bytes(data: Bytes, start: int, end: int) -> np.uint32:
    """Return fastText's hash of bytes: FNV-1a, with bytes above 127 sign-extended as its C++ does."""
    value = _BASIS
    for i in range(start, end):
        byte = np.uint32(data[i])
        if byte > 127:
            byte |= np.uint32(0xFFFFFF00)
        value = np.uint32((value ^ byte) * _PRIME)
    return value


@kernel
def _space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13 or byte == 0


@kernel
def word_row(data: Bytes, start: int, end: int, value: np.int64, table: Ints, spelling: Bytes) -> np.int64:
    """Return the row of a word, -1 for one that the dictionary lacks. `table` has hash, row, start, end by hash."""
    low, high = 0, len(table)
    while low < high:
        middle = (low + high) >> 1
        if table[middle, 0] < value:
            low = middle + 1
        else:
            high = middle
    while low < len(table) and table[low, 0] == value:
        size = table[low, 3] - table[low, 2]
        if size == end - start:
            same = True
            for i in range(size):
                if spelling[table[low, 2] + i] != data[start + i]:
                    same = False
                    break
            if same:
                return np.int64(table[low, 1])
        low += 1
    return np.int64(-1)


@kernel
def _subwords(data: Bytes, start: int, end: int, options: Ints, out: Ints, count: int) -> int:
    """Append the rows of a word's character n-grams, `<` and `>` round it, and return how many rows there are."""
    minn, maxn, buckets, words = options[0], options[1], options[2], options[4]
    marked = np.empty(end - start + 2, np.uint8)
    marked[0] = 60
    marked[1 : end - start + 1] = data[start:end]
    marked[end - start + 1] = 62
    size = len(marked)
    for i in range(size):
        if marked[i] & 0xC0 == 0x80:
            continue
        j, n = i, 1
        value = _BASIS
        while j < size and n <= maxn:
            byte = np.uint32(marked[j])
            if byte > 127:
                byte |= np.uint32(0xFFFFFF00)
            value = np.uint32((value ^ byte) * _PRIME)
            j += 1
            while j < size and marked[j] & 0xC0 == 0x80:
                value = np.uint32((value ^ (np.uint32(marked[j]) | np.uint32(0xFFFFFF00))) * _PRIME)
                j += 1
            if n >= minn and not (n == 1 and (i == 0 or j == size)):
                out[count] = words + np.int64(value) % buckets
                count += 1
            n += 1
    return count


@kernel
def features(
    data: Bytes, start: int, end: int, options: Ints, table: Ints, spelling: Bytes, out: Ints, hashes: Ints
) -> int:
    """Write the rows of a text's features into `out` and return how many.

    `options`: minn, maxn, buckets, word_ngrams, words, row of the end of line or -1, and its hash. `hashes` is room for
    one hash a word, `out` for every feature, as much as `room` says. A text without a word has none.
    """
    maxn, buckets, ngrams, words = options[1], options[2], options[3], options[4]
    count, seen, at = 0, 0, start
    while at < end:
        while at < end and _space(data[at]):
            at += 1
        begin = at
        while at < end and not _space(data[at]):
            at += 1
        if at == begin or seen >= len(hashes) - 1:
            break
        value = hash_bytes(data, begin, at)
        row = word_row(data, begin, at, np.int64(value), table, spelling)
        if row >= 0:
            out[count] = row
            count += 1
        if maxn > 0:
            count = _subwords(data, begin, at, options, out, count)
        hashes[seen] = np.int64(np.int32(value))
        seen += 1
    if seen == 0:
        return 0
    if options[5] >= 0:
        out[count] = options[5]
        count += 1
    # The end of the line is a word of the n-grams, known or not.
    hashes[seen] = options[6]
    seen += 1
    for i in range(seen):
        value64 = np.uint64(hashes[i])
        for j in range(i + 1, min(seen, i + ngrams)):
            value64 = np.uint64(value64 * _NGRAM + np.uint64(hashes[j]))
            out[count] = words + np.int64(value64 % np.uint64(buckets))
            count += 1
    return count


def room(length: int, options: Ints) -> tuple[int, int]:
    """Return (features, words) that a text of `length` bytes has at most."""
    words = length // 2 + 3
    inside = (length + 2 * words) * max(0, int(options[1] - options[0] + 1)) if options[1] > 0 else 0
    return inside + words * max(1, int(options[3])) + 2, words + 1


@kernel
def probabilities(
    offsets: Ints, data: Bytes, options: Ints, table: Ints, spelling: Bytes, rows: Floats, output: Floats,
    room_features: int, room_words: int, out: Floats,
) -> None:  # fmt: skip
    """Write the softmax of each text into `out`, float32 (texts, labels); NaN for a text without a known feature."""
    found = np.empty(room_features, np.int64)
    hashes = np.empty(room_words, np.int64)
    hidden = np.empty(rows.shape[1], np.float32)
    for text in range(len(offsets) - 1):
        count = features(data, offsets[text], offsets[text + 1], options, table, spelling, found, hashes)
        if count == 0:
            out[text] = np.nan
            continue
        hidden[:] = 0
        for i in range(count):
            hidden += rows[found[i]]
        softmax(hidden / np.float32(count), output, out[text])


@kernel
def softmax(hidden: Floats, output: Floats, out: Floats) -> None:
    """Write the probabilities of the labels for a hidden state into `out`, float32 (labels,)."""
    greatest = np.float32(-np.inf)
    for label in range(len(output)):
        total = np.float32(0)
        for i in range(len(hidden)):
            total += output[label, i] * hidden[i]
        out[label] = total
        greatest = max(greatest, total)
    whole = np.float32(0)
    for label in range(len(output)):
        out[label] = np.exp(out[label] - greatest)
        whole += out[label]
    for label in range(len(output)):
        out[label] /= whole
