"""A byte-level BPE as the kernels look it up: merges, whole tokens and the ids of both."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tamis.tokenize import classes
from tamis.tokenize.automaton import SPLITS, Moves, moves
from tamis.tokenize.backtrack import BYTES, Proofs, no_proofs, proofs
from tamis.tokenize.definition import Definition
from tamis.tokenize.merge import EMPTY, MAX_IDS, Ids32, Slots, byte_ranks, fill_pairs
from tamis.tokenize.ranks import byte_letters
from tamis.tokenize.remember import masks
from tamis.tokenize.scan import Paths, paths
from tamis.tokenize.split import Bytes, recognise
from tamis.tokenize.unchecked import aligned, unchecked


class Tables(NamedTuple):
    """What the kernel looks up; `ids` has the ids of tokens, which go by number.

    Where each token comes of one merge, bytes are 0 to 255 and the token of a merge 256 + its rank, and `proofs` is
    filled. Else numbers are the ids themselves. `whole` is empty unless pre-tokens that are tokens stay whole.
    """

    flags: classes.Classes
    paths: Paths
    moves: Moves
    masks: Slots
    letters: Ids32
    first: Ids32
    pairs: Slots
    merged: Ids32
    ids: Ids32
    proofs: Proofs
    spelt: Bytes
    offsets: Slots
    whole: Slots


def tables(definition: Definition) -> Tables:
    """Return the tables of a definition. Raises ValueError, saying why, for one the kernels do not know."""
    model = _supported(definition)
    letters, merges = _merges(model)
    spelling = _spelling(model["vocab"], definition)
    spelt, offsets = _arena(spelling)
    whole = np.full(_power(2 * len(spelling)) if model.get("ignore_merges") else 0, -1, np.int64)
    if len(whole):
        fill_tokens(spelt, offsets, whole)
    ids = np.concatenate([letters, merges[:, 2]])
    numbers = np.full(definition.size, -1, np.int32)
    numbers[ids] = np.arange(len(ids))
    lefts, rights = numbers[merges[:, 0]], numbers[merges[:, 1]]
    single = len(np.unique(ids)) == len(ids) and not (lefts < 0).any() and not (rights < 0).any()
    if single:
        letters, merged = np.arange(BYTES, dtype=np.int32), np.arange(BYTES, len(ids), dtype=np.int32)
    else:
        ids = np.arange(definition.size, dtype=np.int32)
        lefts, rights, merged = merges[:, 0].copy(), merges[:, 1].copy(), merges[:, 2].copy()
    pairs = aligned(_power(2 * len(merges)))
    pairs[:] = EMPTY
    fill_pairs(lefts, rights, pairs)
    first = byte_ranks(letters, pairs)
    proved = _proofs(lefts, rights, [spelling[number] for number in ids], first, pairs) if single else no_proofs()
    split = classes.table(), paths(), moves(*(recognise(definition.data["pre_tokenizer"]) or SPLITS[0]))
    return Tables(*split, masks(), letters, first, pairs, merged, ids, proved, spelt, offsets, whole)


def _proofs(lefts: Ids32, rights: Ids32, spelling: list[bytes], first: Ids32, pairs: Slots) -> Proofs:
    try:
        return proofs(lefts, rights, spelling, first, pairs)
    except ValueError:  # merging is right for every tokenizer, and only slower
        return no_proofs()


@unchecked
def hash_bytes(data: Bytes, start: int, end: int) -> int:
    """Return a 63-bit hash of bytes (FNV-1a with a final mix)."""
    value = np.uint64(0xCBF29CE484222325)
    for place in range(start, end):
        value = (value ^ np.uint64(data[place])) * np.uint64(0x100000001B3)
    value ^= value >> np.uint64(29)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    return int(np.int64((value ^ value >> np.uint64(32)) >> np.uint64(1)))


@unchecked
def fill_tokens(spelt: Bytes, offsets: Slots, slots: Slots) -> None:
    """Enter the tokens that have a spelling by hash; `slots` is -1 throughout, its length a power of 2."""
    mask = len(slots) - 1
    for token in range(len(offsets) - 1):
        if offsets[token + 1] > offsets[token]:
            place = hash_bytes(spelt, offsets[token], offsets[token + 1]) & mask
            while slots[place] >= 0:
                place = (place + 1) & mask
            slots[place] = token


@unchecked
def find_token(data: Bytes, start: int, end: int, spelt: Bytes, offsets: Slots, slots: Slots) -> int:
    """Return the token spelt by these bytes, or -1."""
    mask = len(slots) - 1
    place = hash_bytes(data, start, end) & mask
    while slots[place] >= 0:
        first, size = offsets[slots[place]], end - start
        if offsets[slots[place] + 1] - first == size:
            same = 0
            while same < size and data[start + same] == spelt[first + same]:
                same += 1
            if same == size:
                return int(slots[place])
        place = (place + 1) & mask
    return -1


def _supported(definition: Definition) -> dict[str, Any]:
    data = definition.data
    model: dict[str, Any] = data["model"]
    wanted = {"dropout": (None, 0, 0.0), "continuing_subword_prefix": (None, ""), "end_of_word_suffix": (None, "")}
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        raise ValueError("the model is not BPE")
    if data.get("normalizer") is not None:
        raise ValueError("it normalizes text")
    if recognise(data.get("pre_tokenizer")) is None:
        raise ValueError("its pre-tokenizer is none of GPT-2, cl100k and o200k")
    for key, values in wanted.items():
        if model.get(key) not in values:
            raise ValueError(f"{key} is set")
    if model.get("byte_fallback") or definition.size >= MAX_IDS or len(model["merges"]) >= MAX_IDS - BYTES:
        raise ValueError("it falls back to bytes, or is too large")
    return model


def _spelling(vocab: dict[str, int], definition: Definition) -> list[bytes]:
    """Return the bytes of each id, empty for special tokens and gaps."""
    letters, spelling = byte_letters(), [b""] * definition.size
    for content, number in vocab.items():
        if content not in definition.special and all(letter in letters for letter in content):
            spelling[number] = bytes(letters[letter] for letter in content)
    return spelling


def _merges(model: dict[str, Any]) -> tuple[Ids32, Ids32]:
    """Return the id of each byte, and the ids (left, right, both) of each merge, shape (n, 3)."""
    vocab: dict[str, int] = model["vocab"]
    letters = np.full(256, -1, np.int32)
    for content, byte in byte_letters().items():
        letters[byte] = vocab.get(content, -1)
    if letters.min() < 0:
        raise ValueError("its vocabulary lacks some bytes")
    pairs = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in model["merges"]]
    try:
        return letters, np.array([(vocab[a], vocab[b], vocab[a + b]) for a, b in pairs], np.int32).reshape(-1, 3)
    except (KeyError, ValueError) as error:
        raise ValueError("a merge names no token") from error


def _arena(spelling: list[bytes]) -> tuple[Bytes, Slots]:
    offsets = np.zeros(len(spelling) + 1, np.int64)
    np.cumsum([len(token) for token in spelling], out=offsets[1:])
    return np.frombuffer(b"".join(spelling) or b"\0", np.uint8), offsets


def _power(least: int) -> int:
    return 1 << max(4, (least - 1).bit_length())
