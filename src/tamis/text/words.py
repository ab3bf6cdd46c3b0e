"""Words in every script, found in one linear walk over UTF-8.

Scripts with spaces: words as UAX #29 sees them (letters, marks, digits and joiners; an apostrophe or full stop between
letters, a point or comma between digits), without its script tailorings. Scripts without spaces have no words to see
in linear time without a dictionary, so there a *unit* stands for one: a fixed number of letters with their marks,
counted from the last border (a space, a mark of punctuation, another script). The number is calibrated per script on
parallel text so that a translation has as many units as the English has words (`data/scripts.tsv`).

A word's hash is of its case-folded canonical decomposition: NFC, NFD and capitals agree. Its *worth* is its length in
sixteenths of a Latin letter: marks are worth nothing, a Han character several letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text, text_buffers
from tamis.text import unicode as u
from tamis.text.hashing import GOLDEN, gather, mix
from tamis.text.inline import inlined
from tamis.text.kernel import kernel

_CLASS, _LETTER, _MARK, _DIGIT, _NUMBER, _FORMAT = u.CLASS_MASK, u.LETTER, u.MARK, u.DIGIT, u.NUMBER, u.FORMAT
_MID_LETTER, _MID_NUMBER = u.MID_LETTER, u.MID_NUMBER
_SCRIPT_SHIFT, _SCRIPT_MASK, _UNIT_SHIFT, _UNIT_MASK = u.SCRIPT_SHIFT, u.SCRIPT_MASK, u.UNIT_SHIFT, u.UNIT_MASK
_WORTH_SHIFT, _LETTER_WORTH, _EXPANDED, _PLAIN = u.WORTH_SHIFT, u.LETTER_WORTH, u.EXPANDED, u.PLAIN
_ASCII, _BLOCKS = u.ASCII, u.BLOCKS
_decode, _look_up = u.decode, u.look_up

Spans = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def word_spans(texts: Sequence[str | None] | pa.Array) -> Spans:
    """Return `(doc_offsets, starts, ends)`, all int64: text i's words are spans number doc_offsets[i] up to [i + 1].

    Spans are byte positions in the value buffer of the texts (`columns.text_buffers`), in order, never overlapping; a
    null text has none.
    """
    offsets, data = text_buffers(as_text(texts))
    table = u.table()
    counts = np.zeros(len(offsets), np.int64)
    total = _count_words(offsets, data, table, counts[1:])
    starts, ends = np.empty(total, np.int64), np.empty(total, np.int64)
    _fill_words(offsets, data, table, starts, ends)
    return np.cumsum(counts), starts, ends


def words(text: str) -> list[str]:
    """Return the words of one text: the plain form of `word_spans`."""
    array = as_text([text])
    _, starts, ends = word_spans(array)
    data = text_buffers(array)[1].tobytes()
    return [data[start:end].decode() for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


@inlined
def is_word_start(entry: Any) -> Any:
    """Say whether a code point of these properties begins a word: a letter, digit or number, or a mark left alone."""
    return 1 <= entry & _CLASS <= 4


@inlined
def _absorb_folded(state: Any, point: Any, table: Any) -> Any:
    """Return a word's hash state with the case-folded decomposition of one code point absorbed."""
    if point < 0x80:
        return gather(state, np.uint64(point + 32 if 65 <= point <= 90 else point))
    if 0xAC00 <= point <= 0xD7A3:
        # Hangul is taken apart by arithmetic (The Unicode Standard, §3.12).
        place = point - 0xAC00
        state = gather(state, np.uint64(0x1100 + place // 588))
        state = gather(state, np.uint64(0x1161 + place % 588 // 28))
        return gather(state, np.uint64(0x11A7 + place % 28)) if place % 28 else state
    entry = np.int64(table[np.int64(table[_BLOCKS + (point >> 8)]) + (point & 255)])
    if not entry & _EXPANDED:
        return gather(state, np.uint64(point ^ entry))
    place = entry & (_EXPANDED - 1)
    for step in range(np.int64(table[place])):
        state = gather(state, np.uint64(table[place + 1 + step]))
    return state


@inlined
def read_word(data: Any, at: Any, end: Any, table: Any) -> Any:
    """Return (end of word, hash, worth, whether it has a letter) of the word that begins at `at`.

    One loop, longer than house style allows: it runs once per character, and a call per character costs a third.
    """
    state: Any = GOLDEN
    worth: Any = 0
    letters, lettered = 0, False
    unit: Any = -1
    script: Any = 0
    before: Any = 0
    while at < end:
        point = np.int64(data[at])
        if unit <= 0 and table[_PLAIN + point]:
            # ASCII letters and digits, the most frequent case, need nothing of what follows.
            begun, plain, any_plain = at, np.int64(0), np.int64(0)
            while at < end:
                lower = np.int64(table[_PLAIN + np.int64(data[at])])
                if lower == 0:
                    break
                plain = lower
                any_plain |= lower
                state = gather(state, np.uint64(lower))
                at += 1
            worth += (at - begun) * _LETTER_WORTH
            unit, before = 0, _LETTER if plain & 64 else _DIGIT
            lettered |= any_plain & 64 != 0
            continue
        if point < 0x80:
            after = at + 1
            entry = np.int64(table[_ASCII + point])
        else:
            point, after = _decode(data, at, end)
            entry = _look_up(table, point)
        kind = entry & _CLASS
        if kind in (_LETTER, _DIGIT, _NUMBER):
            its_unit = (entry >> _UNIT_SHIFT) & _UNIT_MASK
            its_script = (entry >> _SCRIPT_SHIFT) & _SCRIPT_MASK
            if unit < 0:
                unit, script = its_unit, its_script
            elif unit > 0:
                # Signs common to several scripts, such as the long vowel mark of kana, stay with their run.
                if kind == _LETTER and its_script < 2:
                    letters -= 1
                elif letters == unit or its_script != script:
                    break
            elif its_unit != 0:
                break
            letters += 1
            lettered |= kind == _LETTER
            before = kind
        elif kind == _MARK:
            unit = max(unit, 0)
        elif kind == _FORMAT:
            at = after
            continue
        else:
            # Something that joins: the word goes on if the same kind of character stands on both sides of it.
            if unit != 0 or not entry & (_MID_LETTER | _MID_NUMBER) or after >= end:
                break
            next_point, _ = _decode(data, after, end)
            next_entry = _look_up(table, next_point)
            if (next_entry >> _UNIT_SHIFT) & _UNIT_MASK:
                break
            next_kind = np.int64(next_entry & _CLASS)
            joins = (before == _LETTER and next_kind == _LETTER and entry & _MID_LETTER) or (
                before == _DIGIT and next_kind == _DIGIT and entry & _MID_NUMBER
            )
            if not joins:
                break
        state = _absorb_folded(state, point, table)
        worth += entry >> _WORTH_SHIFT
        at = after
    return at, mix(state), worth, lettered


@inlined
def next_word(data: Any, at: Any, end: Any, table: Any) -> Any:
    """Return where the next word at or after `at` begins, or `end`."""
    while at < end:
        point, after = _decode(data, at, end)
        if is_word_start(_look_up(table, point)):
            return at
        at = after
    return end


@kernel
def _count_words(offsets: Any, data: Any, table: Any, counts: Any) -> Any:
    total = 0
    for row in range(len(offsets) - 1):
        end, count = offsets[row + 1], 0
        at = next_word(data, offsets[row], end, table)
        while at < end:
            at, _, _, _ = read_word(data, at, end, table)
            at = next_word(data, at, end, table)
            count += 1
        counts[row] = count
        total += count
    return total


@kernel
def _fill_words(offsets: Any, data: Any, table: Any, starts: Any, ends: Any) -> Any:
    out = 0
    for row in range(len(offsets) - 1):
        end = offsets[row + 1]
        at = next_word(data, offsets[row], end, table)
        while at < end:
            starts[out] = at
            at, _, _, _ = read_word(data, at, end, table)
            ends[out] = at
            out += 1
            at = next_word(data, at, end, table)
