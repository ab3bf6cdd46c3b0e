"""The fast engine: byte-level BPE in one pass over the Arrow buffer, with bounded memory.

A pre-token is looked up in a fixed cache of what pre-tokens became, and only then merged. The cache overwrites, so it
never grows; it compares whole pre-tokens, so what it holds never changes an id.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.tokenize import classes
from tamis.tokenize.definition import Definition
from tamis.tokenize.merge import EMPTY, MAX_IDS, SCAN_LIMIT, Ids32, Slots, byte_ranks, fill_pairs, merge
from tamis.tokenize.ranks import byte_letters
from tamis.tokenize.reference import Ids, Lengths, ReferenceEngine, calls
from tamis.tokenize.split import Bytes, next_end, recognise
from tamis.tokenize.unchecked import Words, aligned, overlapping_words, text_within, unchecked

# What a pre-token became is remembered in one cache line: four words of key, then twelve fields of 21 bits, a count and
# up to eleven ids. An entry pushes the one before it to the neighbouring line, so a pair of lines keeps the latest two.
CACHE_LINES = 1 << 19  # 32 MiB, of which only what is used is ever resident
KEY_BYTES = 31  # the last byte of the key is the size
MOST_IDS = 11
CALL_BYTES = 1 << 20  # text per kernel call: bounds the id buffer to four times as much


@unchecked
def packed(data: Bytes, start: int, end: int) -> int:
    """Return up to eight bytes as one little-endian word."""
    word = np.int64(0)
    for place in range(start, min(end, start + 8)):
        word |= np.int64(data[place]) << 8 * (place - start)
    return int(word)


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


@unchecked
def key(data: Bytes, words: Words, masks: Slots, at: int, size: int) -> tuple[int, int, int, int]:
    """Return the bytes of a pre-token of at most KEY_BYTES as four words, its size in the last byte."""
    if at + 32 > len(data):
        end = at + size
        a, b = packed(data, at, end), packed(data, at + 8, end)
        c, d = packed(data, at + 16, end), packed(data, at + 24, end)
    else:  # no branches: sizes are not foreseen
        a, b = words[at] & masks[size, 0], words[at + 8] & masks[size, 1]
        c, d = words[at + 16] & masks[size, 2], words[at + 24] & masks[size, 3]
    return a, b, c, d | size << 56


@unchecked
def line_of(a: int, b: int, c: int, d: int) -> int:
    """Return where the cache line of a key starts; unsigned, for signed overflow is undefined to the compiler."""
    mixed = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) * np.uint64(0xBF58476D1CE4E5B9)
    mixed += np.uint64(c) * np.uint64(0x94D049BB133111EB) + np.uint64(d) * np.uint64(0x2545F4914F6CDD1D)
    mixed ^= mixed >> np.uint64(32)
    return int(np.int64((mixed ^ mixed >> np.uint64(15)) & np.uint64(CACHE_LINES - 1))) << 3


@unchecked
def encode_texts(
    data: Bytes,
    words: Words,
    masks: Slots,
    bounds: Slots,
    pattern: int,
    digits: int,
    flags: classes.Classes,
    letters: Ids32,
    first: Ids32,
    pairs: Slots,
    merged: Ids32,
    spelt: Bytes,
    offsets: Slots,
    tokens: Slots,
    cache: Slots,
    lengths: Slots,
    out: Ids32,
) -> int:
    """Write the ids of each text to `out` (none where its length is 0) and their number to `lengths`; return the sum.

    `tokens` is empty unless whole tokens go before merges. The loop stays whole: its parts share a dozen variables.
    No bounds are checked: `bounds` ascend within the data (`text_within`), a pre-token ends within its text and gives
    no more ids than bytes, of which `out` holds one more; a line of the cache is found under a mask of their number.
    """
    total, scratch, work = 0, np.empty(64, np.int32), np.empty((3, SCAN_LIMIT), np.int32)
    a = b = c = d = line = 0
    keeps = len(out) > 0
    for row in range(len(bounds) - 1):
        at, stop, before = bounds[row], bounds[row + 1], total
        while at < stop:
            end = next_end(data, words, at, stop, flags, pattern, digits)
            size = end - at
            if size <= KEY_BYTES:
                a, b, c, d = key(data, words, masks, at, size)
                line = line_of(a, b, c, d)
                known = cache[line] == a and cache[line + 1] == b and cache[line + 2] == c and cache[line + 3] == d
                if not known:
                    line ^= 8
                    known = cache[line] == a and cache[line + 1] == b and cache[line + 2] == c and cache[line + 3] == d
                if known:
                    fields = cache[line + 4]
                    count = fields & (MAX_IDS - 1)
                    if keeps:  # two at once, the second perhaps for nothing: `out` has room for one more
                        out[total] = fields >> 21 & (MAX_IDS - 1)
                        out[total + 1] = fields >> 42 & (MAX_IDS - 1)
                        for field in range(3, count + 1):
                            out[total + field - 1] = cache[line + 4 + field // 3] >> 21 * (field % 3) & (MAX_IDS - 1)
                    total += count
                    at = end
                    continue
            if size > len(scratch):
                scratch = np.empty(2 * size, np.int32)
            token = find_token(data, at, end, spelt, offsets, tokens) if len(tokens) else -1
            if token >= 0:
                scratch[0], count = token, 1
            else:
                count = merge(data, at, end, scratch, work, letters, first, pairs, merged)
            if keeps:
                for place in range(count):
                    out[total + place] = scratch[place]
            if size <= KEY_BYTES and count <= MOST_IDS:
                line ^= 8
                for word in range(8):
                    cache[(line ^ 8) + word] = cache[line + word]
                    cache[line + word] = 0
                cache[line], cache[line + 1], cache[line + 2], cache[line + 3] = a, b, c, d
                cache[line + 4] = count
                for field in range(1, count + 1):
                    cache[line + 4 + field // 3] |= np.int64(scratch[field - 1]) << 21 * (field % 3)
            total += count
            at = end
        lengths[row] = total - before
    return total


class KernelEngine:
    """Byte-level BPE by kernels. Texts that hold an added token which is not special go to the reference."""

    name = "kernel"

    def __init__(self, definition: Definition, reference: ReferenceEngine) -> None:
        """Raises ValueError, saying why, for a definition this engine does not know."""
        model = _supported(definition)
        self._pattern, self._digits = recognise(definition.data["pre_tokenizer"]) or (0, 0)
        self._flags = classes.table()
        spelling = _spelling(model["vocab"], definition)
        self._letters, self._pairs, self._merged = _merges(model, spelling)
        self._first = byte_ranks(self._letters, self._pairs)
        self._spelt, self._offsets = _arena(spelling)
        self._tokens = np.full(_power(2 * len(spelling)) if model.get("ignore_merges") else 0, -1, np.int64)
        if len(self._tokens):
            fill_tokens(self._spelt, self._offsets, self._tokens)
        self._masks = _masks()
        self._cache = aligned(CACHE_LINES * 8)
        # New memory costs page faults, so ids are written to the same place in every call.
        self._out = np.empty(CALL_BYTES + 1, np.int32)
        self._width: type[np.unsignedinteger[Any]] = np.uint16 if definition.size <= 1 << 16 else np.uint32
        self._lock = Lock()  # the kernel drops the interpreter lock, and the cache is shared
        self._reference = reference
        self._added = _added(definition)

    def encode(self, texts: pa.LargeStringArray) -> tuple[Lengths, Ids]:
        """Return tokens per text and all ids one after another."""
        parts = [self._part(part, True) for part in calls(texts, CALL_BYTES)]
        lengths = np.concatenate([lengths for lengths, _ in parts]) if parts else np.zeros(0, np.int64)
        return lengths, np.concatenate([ids for _, ids in parts]) if parts else np.zeros(0, np.uint32)

    def count(self, texts: pa.LargeStringArray) -> Lengths:
        """Return tokens per text."""
        parts = [self._part(part, False)[0] for part in calls(texts, CALL_BYTES)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _part(self, texts: pa.LargeStringArray, ids: bool) -> tuple[Lengths, Ids]:
        odd = self._odd(texts)
        if not len(odd):
            return self._run(texts, ids)
        plain = np.setdiff1d(np.arange(len(texts)), odd)
        ours, theirs = self._run(texts.take(pa.array(plain)), ids), self._reference.encode(texts.take(pa.array(odd)))
        lengths = np.zeros(len(texts), np.int64)
        lengths[plain], lengths[odd] = ours[0], theirs[0]
        return lengths, _interleave(lengths, odd, ours[1], theirs[1]) if ids else theirs[1]

    def _odd(self, texts: pa.LargeStringArray) -> npt.NDArray[np.int64]:
        if not self._added:
            return np.zeros(0, np.int64)
        found = pc.fill_null(pc.match_substring_regex(texts, self._added), False)
        return np.flatnonzero(found.to_numpy(zero_copy_only=False))

    def _run(self, texts: pa.LargeStringArray, ids: bool) -> tuple[Lengths, Ids]:
        bounds, data = text_within(texts)
        lengths = np.zeros(len(texts), np.int64)
        room = int(bounds[-1] - bounds[0]) + 1 if ids else 0
        with self._lock:
            if room > len(self._out):
                self._out = np.empty(room, np.int32)
            total = encode_texts(
                data, overlapping_words(data), self._masks, bounds, self._pattern, self._digits, self._flags,
                self._letters, self._first, self._pairs, self._merged,
                self._spelt, self._offsets, self._tokens,
                self._cache, lengths, self._out[:room],
            )  # fmt: skip
            found: Ids = self._out[: total if ids else 0].astype(self._width)
            if len(self._out) > 4 * CALL_BYTES:  # one long text is no reason to keep its room
                self._out = np.empty(CALL_BYTES + 1, np.int32)
        return lengths, found


def _interleave(lengths: Lengths, odd: npt.NDArray[np.int64], ours: Ids, theirs: Ids) -> Ids:
    rows = np.zeros(len(lengths), np.bool_)
    rows[odd] = True
    mask = np.repeat(rows, lengths)
    result = np.empty(len(mask), np.uint32)
    result[mask], result[~mask] = theirs, ours
    return result


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
    if model.get("byte_fallback") or definition.size >= MAX_IDS or len(model["merges"]) >= MAX_IDS:
        raise ValueError("it falls back to bytes, or is too large")
    return model


def _added(definition: Definition) -> str:
    """Return a regular expression that finds added tokens which are not special, "" for none."""
    added = [token["content"] for token in definition.data.get("added_tokens") or () if not token.get("special")]
    return "|".join(re.escape(content) for content in sorted(added))


def _spelling(vocab: dict[str, int], definition: Definition) -> list[bytes]:
    """Return the bytes of each id, empty for special tokens and gaps."""
    letters, spelling = byte_letters(), [b""] * definition.size
    for content, number in vocab.items():
        if content not in definition.special and all(letter in letters for letter in content):
            spelling[number] = bytes(letters[letter] for letter in content)
    return spelling


def _merges(model: dict[str, Any], spelling: list[bytes]) -> tuple[Ids32, Slots, Ids32]:
    """Return the id of each byte, the table of pairs, and the id that each rank merges to."""
    vocab: dict[str, int] = model["vocab"]
    letters = np.full(256, -1, np.int32)
    for content, byte in byte_letters().items():
        letters[byte] = vocab.get(content, -1)
    if letters.min() < 0:
        raise ValueError("its vocabulary lacks some bytes")
    pairs = [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair) for pair in model["merges"]]
    try:
        numbers = np.array([(vocab[a], vocab[b], vocab[a + b]) for a, b in pairs], np.int32).reshape(-1, 3)
    except (KeyError, ValueError) as error:
        raise ValueError("a merge names no token") from error
    slots = aligned(_power(2 * len(pairs)))
    slots[:] = EMPTY
    fill_pairs(numbers[:, 0].copy(), numbers[:, 1].copy(), slots)
    return letters, slots, numbers[:, 2].copy()


def _masks() -> Slots:
    """Return what is kept of the four words from a place on, by size, shape (KEY_BYTES + 1, 4)."""
    kept = np.arange(32) < np.arange(KEY_BYTES + 1)[:, None]
    return np.where(kept, 0xFF, 0).astype(np.uint8).view("<i8")


def _arena(spelling: list[bytes]) -> tuple[Bytes, Slots]:
    offsets = np.zeros(len(spelling) + 1, np.int64)
    np.cumsum([len(token) for token in spelling], out=offsets[1:])
    return np.frombuffer(b"".join(spelling) or b"\0", np.uint8), offsets


def _power(least: int) -> int:
    return 1 << max(4, (least - 1).bit_length())
