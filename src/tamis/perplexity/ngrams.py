"""Back-off n-gram models as arrays: one hash table for all orders above the first, walked by a kernel.

The probing table of KenLM (Heafield 2011, W11-2123) with 64-bit keys and no vocabulary of its own: words are numbers.
A file holds the arrays as they are in memory, so every process of a machine maps the same pages.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.errors import ModelError
from tamis.text.kernel import kernel, proven_kernel

UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
# Of <unk> where a model does not say, as KenLM has it.
MISSING_UNKNOWN = -100.0

_MAGIC = b"tamis n-grams 2\n"
_ALIGN = 64
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)
_ONE = np.uint64(1)
# The key of no words: nothing small, because small numbers are mixed into it.
START = np.uint64(0x2545F4914F6CDD1D)

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class NgramModel:
    """A back-off model. log10 probabilities and back-off weights, float32.

    `words` by number, <unk>, <s> and </s> first; `unigrams` has shape (words, 2). `cells`, shape (2 * slots,),
    uint64, is the open-addressed table of longer n-grams: a key, 0 where free, and beside it, so that both come from
    memory at once, its two numbers, which `pairs` shows as float32.
    """

    order: int
    words: tuple[str, ...]
    counts: tuple[int, ...]
    unigrams: Floats
    cells: npt.NDArray[np.uint64]

    @property
    def pairs(self) -> Floats:
        """The cells' bytes as float32: of a slot's four, the last two are its probability and back-off weight."""
        return self.cells.view(np.float32)

    def numbers(self, words: tuple[str, ...]) -> Words:
        """Return the number of each word, 0 (that of <unk>) for one the model has not."""
        known = _vocabulary(self)
        return np.array([known.get(word, 0) for word in words], np.int32)

    def __contains__(self, word: str) -> bool:
        """Say whether the model knows a word."""
        return word in _vocabulary(self)

    def score(self, sentence: str) -> float:
        """Return log10 of the probability of words between spaces, from <s> to </s>; what `kenlm.Model.score` does."""
        numbers = self.numbers(tuple(sentence.split()))
        return float(score_line(numbers, len(numbers), self.order, self.unigrams, self.cells, self.pairs))

    def save(self, path: Path) -> None:
        """Write the model's file."""
        text = "\n".join(self.words).encode()
        head = {
            "order": self.order,
            "counts": self.counts,
            "words": len(self.words),
            "word_bytes": len(text),
            "slots": len(self.cells) // 2,
        }
        encoded = json.dumps(head).encode()
        with path.open("wb") as file:
            file.write(_MAGIC + struct.pack("<I", len(encoded)) + encoded + text)
            arrays: tuple[npt.NDArray[Any], ...] = (self.unigrams, self.cells)
            for array in arrays:
                file.write(b"\0" * (-file.tell() % _ALIGN))
                np.ascontiguousarray(array).tofile(file)


@lru_cache(maxsize=16)
def _vocabulary(model: NgramModel) -> dict[str, int]:
    return {word: number for number, word in enumerate(model.words)}


def open_model(path: Path) -> NgramModel:
    """Return the model of a file, its arrays mapped from it. Raises ModelError where it is damaged."""
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ValueError("it does not begin as one")
            (size,) = struct.unpack("<I", file.read(4))
            head: dict[str, Any] = json.loads(file.read(size))
            words = tuple(file.read(head["word_bytes"]).decode().split("\n"))
            position = file.tell()
        if len(words) != head["words"]:
            raise ValueError("its words are not as many as it says")
        arrays = []
        for kind, shape in (
            (np.float32, (len(words), 2)),
            (np.uint64, (2 * head["slots"],)),
        ):
            position += -position % _ALIGN
            arrays.append(np.memmap(path, kind, "r", position, shape))
            position += arrays[-1].nbytes
    except (ValueError, KeyError, OSError, struct.error) as error:
        raise ModelError(
            f"{path} is not an n-gram model: {error}.", "Train it anew, or fetch the bundle again."
        ) from error
    plain = [np.asarray(array) for array in arrays]
    return NgramModel(head["order"], words, tuple(head["counts"]), plain[0], plain[1])


@kernel
def mixed(state: Any, number: Any) -> Any:
    """Return the key of an n-gram from that of the n-gram after its first word: START for no words, never 0."""
    key = (state ^ (np.uint64(number) + _ONE)) * _MULTIPLIER
    key ^= key >> _SHIFT
    key *= _MIX
    key ^= key >> _SHIFT
    return key if key != np.uint64(0) else _ONE


@kernel
def find(keys: Any, key: Any) -> Any:
    """Return the slot of a key, or -1; `keys` has a power of two of slots, some of them free."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while True:
        held = keys[slot]
        if held == key:
            return np.int64(slot)
        if held == np.uint64(0):
            return np.int64(-1)
        slot = (slot + _ONE) & mask


@kernel
def insert(keys: Any, key: Any) -> Any:
    """Return the slot of a key, taking a free one where it has none."""
    mask = np.uint64(len(keys) - 1)
    slot = key & mask
    while keys[slot] != np.uint64(0) and keys[slot] != key:
        slot = (slot + _ONE) & mask
    keys[slot] = key
    return np.int64(slot)


@kernel
def insert_all(grams: Any, pairs: Any, cells: Any, numbers: Any) -> Any:
    """Enter n-grams, shape (n, order), first word first, with their (probability, back-off) pairs, into cells of which
    `numbers` is the float32 view."""
    mask = np.uint64(len(cells) // 2 - 1)
    for row in range(len(grams)):
        key = START
        for place in range(grams.shape[1] - 1, -1, -1):
            key = mixed(key, grams[row, place])
        slot = key & mask
        while cells[np.int64(slot) * 2] != np.uint64(0) and cells[np.int64(slot) * 2] != key:
            slot = (slot + _ONE) & mask
        cells[np.int64(slot) * 2] = key
        numbers[np.int64(slot) * 4 + 2] = pairs[row, 0]
        numbers[np.int64(slot) * 4 + 3] = pairs[row, 1]


@proven_kernel
def score_line(numbers: Any, count: Any, order: Any, unigrams: Any, cells: Any, pairs: Any) -> Any:
    """Return log10 of the probability of `numbers[:count]` between <s> and </s>, float64.

    A longer n-gram is looked for only where the shorter one after its first word was found: readers see to it that
    every n-gram's is there. Every index is in bounds: numbers are rows of `unigrams` (the caller's map has no others),
    slots are masked by their number, a power of two, and lengths stay up to `order`.
    """
    mask = np.uint64(len(cells) // 2 - 1)
    weights = np.zeros(order + 1, np.float32)  # back-off of the last 1, 2, … words, as far as known
    fresh = np.zeros(order + 1, np.float32)
    known = min(1, order - 1)
    weights[1] = unigrams[1, 1]
    total = 0.0
    for index in range(count + 1):
        word = np.int64(numbers[index]) if index < count else np.int64(2)
        found = unigrams[word, 0]
        fresh[1] = unigrams[word, 1]
        matched = 1
        key = mixed(START, word)
        while matched < order and matched <= index + 1:
            before = index - matched
            key = mixed(key, np.int64(numbers[before]) if before >= 0 else np.int64(1))
            slot = np.int64(key & mask)
            held = cells[slot * 2]
            while held != key and held != np.uint64(0):
                slot = (slot + 1) & np.int64(mask)
                held = cells[slot * 2]
            if held != key:
                break
            matched += 1
            found = pairs[slot * 4 + 2]
            fresh[matched] = pairs[slot * 4 + 3]
        total += found
        for length in range(matched, known + 1):
            total += weights[length]
        known = min(matched, order - 1)
        for length in range(1, known + 1):
            weights[length] = fresh[length]
    return total


def hash_table(order: int, words: tuple[str, ...], tables: list[tuple[Words, Floats]]) -> NgramModel:
    """Return the model of n-grams by order, each (word numbers of shape (n, order), pairs of shape (n, 2)).

    `tables[0]` holds every word once, in any order; a missing one keeps KenLM's probability of the unknown.
    """
    unigrams = np.zeros((len(words), 2), np.float32)
    unigrams[:, 0] = MISSING_UNKNOWN
    unigrams[tables[0][0][:, 0]] = tables[0][1]
    longer = sum(len(grams) for grams, _ in tables[1:])
    slots = 1 << max(int(longer * 1.5).bit_length(), 3)
    cells = np.zeros(2 * slots, np.uint64)
    for grams, pairs in tables[1:]:
        insert_all(grams, pairs, cells, cells.view(np.float32))
    return NgramModel(order, words, tuple(len(grams) for grams, _ in tables), unigrams, cells)
