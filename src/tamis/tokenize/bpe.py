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

from tamis.tokenize.backtrack import backtrack
from tamis.tokenize.block import AHEAD, ask, find, keep, spell_together
from tamis.tokenize.definition import Definition
from tamis.tokenize.merge import SCAN_LIMIT, Ids32, Scratch, Slots, merge
from tamis.tokenize.reference import Ids, Lengths, ReferenceEngine, calls
from tamis.tokenize.remember import COUNT_AT, ROOM, SHORT_BYTES, SHORT_LINES, WIDE_BYTES, WIDE_LINES, give_wide
from tamis.tokenize.scan import scan
from tamis.tokenize.split import Bytes, recognise
from tamis.tokenize.together import ROW
from tamis.tokenize.trie import FIELD, Trie
from tamis.tokenize.unchecked import Words, aligned, overlapping_words, text_within, unchecked
from tamis.tokenize.vocabulary import Tables, find_token, tables

CALL_BYTES = 1 << 20  # text per kernel call: bounds the id buffer to four times as much


@unchecked
def spell(
    data: Bytes,
    at: int,
    end: int,
    scratch: Ids32,
    work: Scratch,
    letters: Ids32,
    first: Ids32,
    pairs: Slots,
    merged: Ids32,
    ids: Ids32,
    trie: Trie,
    left: Ids32,
    right: Ids32,
    shape: Ids32,
    filter_: Bytes,
    spelt: Bytes,
    offsets: Slots,
    whole: Slots,
) -> int:
    """Write the ids of a pre-token to `scratch`, which has room for every byte, and return how many.

    Arrays are handed over one by one: out of a tuple each would be counted in and out at every call.
    """
    if len(whole):
        token = find_token(data, at, end, spelt, offsets, whole)
        if token >= 0:
            scratch[0] = token
            return 1
    if end - at > SHORT_BYTES and len(trie):  # a third of the time; short ones merge as fast
        count = backtrack(data, at, end, scratch, trie, left, right, shape, filter_, pairs)
    else:
        count = merge(data, at, end, scratch, work, letters, first, pairs, merged)
    for place in range(count):
        scratch[place] = ids[scratch[place]]
    return count


@unchecked
def encode_texts(
    data: Bytes,
    words: Words,
    bounds: Slots,
    pattern: int,
    digits: int,
    tables: Tables,
    short: Slots,
    wide: Slots,
    lengths: Slots,
    out: Ids32,
) -> int:
    """Write the ids of each text to `out` (none where its length is 0) and their number to `lengths`; return the sum.

    The loop stays long and whole: its parts share a dozen variables.
    No bounds are checked: `bounds` ascend within the data (`text_within`), a pre-token ends within its text and gives
    no more ids than bytes, of which `out` holds ROOM more; a line is found under a mask of their number.
    """
    flags, paths, moves, masks, letters, first, pairs, merged, ids, proofs, spelt, offsets, whole = tables
    trie, left, right, shape, filter_ = proofs
    ends, lines, counts = np.empty(AHEAD, np.int64), np.empty(AHEAD, np.int64), np.empty(AHEAD, np.int64)
    keys, asked = np.empty((AHEAD, 2), np.int64), np.empty((4, AHEAD), np.int64)
    made = np.zeros(AHEAD * ROW, np.int32)
    scratch, work = np.empty(64, np.int32), np.empty((3, SCAN_LIMIT), np.int32)
    front = np.zeros(5, np.int64)
    front[1] = front[2] = bounds[0]
    rows, row, keeps = len(bounds) - 1, 0, len(out) > 0
    total, before, at = 0, 0, bounds[0]
    while front[0] < rows:
        found = scan(data, bounds, front, flags, paths, moves, pattern, digits, ends)
        ask(data, words, masks, at, ends, found, short, wide, keys, lines)
        unknown = find(data, words, masks, at, ends, found, short, wide, keys, lines, asked)
        if unknown:
            spell_together(
                data, asked, unknown, made, counts, letters, first, pairs, merged, ids, spelt, offsets, whole
            )
        for place in range(found):
            while at >= bounds[row + 1]:
                lengths[row], before = total - before, total
                row += 1
            end, line = ends[place], lines[place]
            if line >= 0:
                if line & 1:
                    total += give_wide(wide, line >> 1, out, total)
                else:
                    line >>= 1
                    if keeps:
                        one, two = short[line + 2], short[line + 3]
                        out[total] = one & FIELD
                        out[total + 1] = one >> 21 & FIELD
                        out[total + 2] = one >> 42
                        out[total + 3] = two & FIELD
                        out[total + 4] = two >> 21 & FIELD
                        out[total + 5] = two >> 42
                    total += short[line + 1] >> COUNT_AT
            elif end - at <= WIDE_BYTES:
                count = counts[-1 - line]
                if keeps:
                    for each in range(count):
                        out[total + each] = made[(-1 - line) * ROW + each]
                total += count
            else:
                if end - at > len(scratch):
                    scratch = np.empty(2 * (end - at), np.int32)
                count = spell(
                    data, at, end, scratch, work, letters, first, pairs, merged, ids,
                    trie, left, right, shape, filter_, spelt, offsets, whole,
                )  # fmt: skip
                if keeps:
                    for each in range(count):
                        out[total + each] = scratch[each]
                total += count
            at = end
        if unknown:
            keep(data, words, masks, asked, unknown, short, wide, keys, made, counts)
    while row < rows:
        lengths[row], before = total - before, total
        row += 1
    return total


class KernelEngine:
    """Byte-level BPE by kernels. Texts that hold an added token which is not special go to the reference."""

    name = "kernel"

    def __init__(self, definition: Definition, reference: ReferenceEngine) -> None:
        """Raises ValueError, saying why, for a definition this engine does not know."""
        self._tables = tables(definition)
        self._pattern, self._digits = recognise(definition.data["pre_tokenizer"]) or (0, 0)
        self._short, self._wide = aligned(SHORT_LINES * 8), aligned(WIDE_LINES * 8)
        # New memory costs page faults, so ids are written to the same place in every call.
        self._out = np.empty(CALL_BYTES + ROOM, np.int32)
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
        room = int(bounds[-1] - bounds[0]) + ROOM if ids else 0
        with self._lock:
            if room > len(self._out):
                self._out = np.empty(room, np.int32)
            total = encode_texts(
                data, overlapping_words(data), bounds, self._pattern, self._digits, self._tables,
                self._short, self._wide, lengths, self._out[:room],
            )  # fmt: skip
            found: Ids = self._out[: total if ids else 0].astype(self._width)
            if len(self._out) > 4 * CALL_BYTES:  # one long text is no reason to keep its room
                self._out = np.empty(CALL_BYTES + ROOM, np.int32)
        return lengths, found


def _interleave(lengths: Lengths, odd: npt.NDArray[np.int64], ours: Ids, theirs: Ids) -> Ids:
    rows = np.zeros(len(lengths), np.bool_)
    rows[odd] = True
    mask = np.repeat(rows, lengths)
    result = np.empty(len(mask), np.uint32)
    result[mask], result[~mask] = theirs, ours
    return result


def _added(definition: Definition) -> str:
    """Return a regular expression that finds added tokens which are not special, "" for none."""
    added = [token["content"] for token in definition.data.get("added_tokens") or () if not token.get("special")]
    return "|".join(re.escape(content) for content in sorted(added))
