"""Shingles: hashes of runs of words, or of characters in unspaced scripts, over the normalised text.

Normalisation: NFC, simple case folding, decimal digits to 0, whitespace and punctuation to a border between words,
joiners dropped. Combining marks stay: without its vowel signs a text in an Indic, Thai or Arabic script is another
text. Han, kana, Thai, Lao, Khmer, Myanmar and their like have no spaces, so there each character with its marks is a
unit, and a five-unit shingle means something in every script.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.options import DedupOptions
from tamis.dedup.unchecked import text_within, unchecked

Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Table = npt.NDArray[np.uint32]

_SEPARATOR, _WORD, _UNIT, _MARK, _IGNORED = range(5)

# Odd 64-bit constants without structure: golden ratio (unit hash), PCG's multiplier (rolling base), murmur3's mixer.
_UNIT_BASE = np.uint64(0x9E3779B97F4A7C15)
_ROLL_BASE = np.uint64(0x5851F42D4C957F2D)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_8, _29, _33, _56 = np.uint64(8), np.uint64(29), np.uint64(33), np.uint64(56)
# Keeps the number of a letter apart from gathered ASCII letters, none of which has the byte 0x01.
_BEYOND_ASCII = np.uint64(1 << 40)


@cache
def _table() -> tuple[Offsets, Table]:
    """Return the two-stage table of tools/make_shingle_table.py: block of cp >> 8, then one word per code point."""
    with resources.files("tamis.dedup").joinpath("shingle_table.npz").open("rb") as file, np.load(file) as table:
        return table["index"] * 256, table["blocks"]


@cache
def _fold() -> Bytes:
    """Return the folded form of ASCII letters and digits by byte, 0 for every other byte, shape (256,), uint8."""
    index, blocks = _table()
    points = np.arange(128)
    words = blocks[index[0] + points].astype(np.int64)
    fold = np.zeros(256, np.uint8)
    fold[:128] = np.where(words >> 21 & 7 == _WORD, points ^ (words & 0x1FFFFF), 0)
    return fold


@cache
def _powers(length: int) -> Hashes:
    """Return the factors of a shingle's units: powers of the rolling base, shape (length,), uint64."""
    base = int(_ROLL_BASE)
    return np.array([pow(base, length - 1 - place, 1 << 64) for place in range(length)], np.uint64)


@unchecked
def mix(value: np.uint64) -> np.uint64:
    """Return murmur3's 64-bit finaliser of `value`."""
    value = (value ^ (value >> _33)) * _MIX_1
    value = (value ^ (value >> _33)) * _MIX_2
    return value ^ (value >> _33)


@unchecked
def _decode(data: Bytes, at: Any, end: Any) -> tuple[Any, Any]:
    """Return (code point, next position); bytes that are no UTF-8 read as U+FFFD, one at a time."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead, at + 1
    if 0xC2 <= lead < 0xE0 and at + 1 < end:
        return ((lead & 0x1F) << 6) | (np.int64(data[at + 1]) & 0x3F), at + 2
    if 0xE0 <= lead < 0xF0 and at + 2 < end:
        point = ((lead & 0x0F) << 12) | ((np.int64(data[at + 1]) & 0x3F) << 6) | (np.int64(data[at + 2]) & 0x3F)
        return point, at + 3
    size = 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4 if 0xF0 <= lead < 0xF5 else 0
    if size == 0 or at + size > end:
        return np.int64(0xFFFD), at + 1
    point = lead & (0x7F >> size)
    for step in range(1, size):
        point = (point << 6) | (np.int64(data[at + step]) & 0x3F)
    return min(point, np.int64(0x10FFFF)), at + size


@unchecked
def _uncomposed(offsets: Offsets, data: Bytes, index: Offsets, blocks: Table, flags: npt.NDArray[np.bool_]) -> None:
    """Set flags[row] where the text may not be in NFC: a composing character, or marks out of canonical order."""
    for row in range(len(offsets) - 1):
        at, end, last = offsets[row], offsets[row + 1], np.uint32(0)
        while at < end:
            if data[at] < 0x80:
                at, last = at + 1, np.uint32(0)
                continue
            point, at = _decode(data, at, end)
            word = blocks[index[point >> 8] + (point & 255)]
            rank = word >> np.uint32(25)
            if word & np.uint32(1 << 24) or (rank and rank < last):
                flags[row] = True
                break
            last = rank


@unchecked
def _step(state: Any, value: Any) -> Any:
    """Return a unit's hash state with up to eight letters, or one letter beyond ASCII, taken in."""
    state = (state ^ value) * _UNIT_BASE
    return state ^ (state >> _29)


@unchecked
def _units(  # long: one loop reads each byte once; a call per byte or unit costs measured speed
    offsets: Offsets, data: Bytes, index: Offsets, blocks: Table, fold: Bytes, by_char: bool, ends: Offsets, out: Hashes
) -> int:
    """Write each text's unit hashes, not yet mixed, one text after another; return how many.

    `fold` has the folded form of ASCII letters and digits, 0 for all else: the other ASCII characters part words.
    ASCII letters gather in `letters`, a byte each, and enter the state eight at a time: a multiplication a letter would
    be the slowest part of the walk. No byte of a word is 0, so two words never gather alike.
    """
    to = 0
    for row in range(len(offsets) - 1):
        at, end, begun = offsets[row], offsets[row + 1], to
        state, hashed, letters = np.int64(_SEPARATOR), _UNIT_BASE, np.uint64(0)
        while at < end:
            if state != _UNIT and not by_char:
                letter = np.uint64(fold[data[at]])
                while letter:
                    state = np.int64(_WORD)
                    letters = (letters << _8) | letter
                    if letters >> _56:
                        hashed, letters = _step(hashed, letters), np.uint64(0)
                    at += 1
                    letter = np.uint64(fold[data[at]]) if at < end else np.uint64(0)
                if at == end:
                    break
            point = np.int64(data[at])
            if point < 0x80:
                at += 1
                kind, point = np.int64(_WORD if fold[point] else _SEPARATOR), np.int64(fold[point])
            else:
                point, at = _decode(data, at, end)
                word = blocks[index[point >> 8] + (point & 255)]
                kind = np.int64((word >> np.uint32(21)) & np.uint32(7))
                point ^= np.int64(word & np.uint32(0x1FFFFF))
                if kind == _IGNORED:
                    continue
            joins = state != _SEPARATOR and (kind == _MARK or (kind == _WORD and state == _WORD))
            if by_char or not joins:
                # Written always, counted only where a unit ends: a branch here would be guessed wrongly.
                out[to] = _step(hashed, letters)
                to += state != _SEPARATOR
                if by_char and state == _SEPARATOR and to > begun and kind != _SEPARATOR:
                    # Among characters, a border between words is a unit of its own, written when the next word begins.
                    out[to] = _UNIT_BASE
                    to += 1
                hashed, letters = _UNIT_BASE, np.uint64(0)
                state = np.int64(_WORD) if kind == _MARK else kind
                if kind == _SEPARATOR:
                    continue
            if point < 0x80:
                letters = (letters << _8) | np.uint64(point)
                if letters >> _56:
                    hashed, letters = _step(hashed, letters), np.uint64(0)
            else:
                if letters:
                    hashed, letters = _step(hashed, letters), np.uint64(0)
                hashed = _step(hashed, np.uint64(point) | _BEYOND_ASCII)
        if state != _SEPARATOR:
            out[to] = _step(hashed, letters)
            to += 1
        ends[row] = to
    return to


@unchecked
def _roll(starts: Offsets, units: Hashes, powers: Hashes, counts: Offsets, hashes: Hashes) -> int:
    """Write each text's shingle hashes one after another; return how many. `units` are mixed in place.

    Plain loops over slices, without a state carried from unit to unit: so they become vector instructions.
    """
    for i in range(len(units)):
        units[i] = mix(units[i])
    to = 0
    for row in range(len(starts) - 1):
        here = units[starts[row] : starts[row + 1]]
        count = max(here.size - len(powers) + 1, 0)
        out = hashes[to : to + count]
        for i in range(count):
            out[i] = np.uint64(0)
        for step in range(len(powers)):
            moved, power = here[step : step + count], powers[step]
            for i in range(count):
                out[i] += moved[i] * power
        for i in range(count):
            out[i] = mix(out[i])
        counts[row] = count
        to += count
    return to


def composed(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return the texts in NFC; most are already, and only those that may not be are rewritten."""
    offsets, data = text_within(texts)
    if _is_ascii(offsets, data):
        return texts
    flags = np.zeros(len(texts), np.bool_)
    _uncomposed(offsets, data, *_table(), flags)
    if not flags.any():
        return texts
    values = texts.to_pylist()
    for row in np.flatnonzero(flags).tolist():
        values[row] = unicodedata.normalize("NFC", values[row])
    return pa.array(values, pa.large_string())


def shingle_hashes(texts: pa.LargeStringArray, options: DedupOptions) -> tuple[Offsets, Hashes]:
    """Return `(offsets, hashes)`: text i's shingles, in order and with repeats, are hashes[offsets[i]:offsets[i + 1]].

    `offsets` has shape (n + 1,), int64; `hashes` uint64. A null text, or one shorter than a shingle, has none.
    `texts` should be `composed`, so that NFC and NFD copies agree.
    """
    offsets, data = text_within(texts)
    ends, counts = np.zeros(len(texts) + 1, np.int64), np.zeros(len(texts), np.int64)
    # A unit takes at least one byte, among characters half of one, since a border precedes it at most once a byte; one
    # place more is written beyond the last. Pages of these buffers that no hash reaches are never touched.
    units = np.empty(int(offsets[-1] - offsets[0]) + len(texts) + 1, np.uint64)
    used = _units(offsets, data, *_table(), _fold(), options.shingle_chars > 0, ends[1:], units)
    hashes = np.empty(used, np.uint64)
    used = _roll(ends, units[:used], _powers(options.units), counts, hashes)
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts, hashes[:used]


def roll_ids(offsets: Offsets, ids: Hashes, length: int) -> Hashes:
    """Return the hashes of all runs of `length` numbers within each list; `ids` are overwritten.

    `offsets`, from 0 to len(ids), ascend.
    """
    if offsets[0] != 0 or offsets[-1] != len(ids) or bool((np.diff(offsets) < 0).any()):
        raise ValueError("the offsets of a list column do not ascend within its values")
    hashes, counts = np.empty(len(ids), np.uint64), np.zeros(len(offsets) - 1, np.int64)
    return hashes[: _roll(offsets, ids, _powers(length), counts, hashes)]


def _is_ascii(offsets: Offsets, data: Bytes) -> bool:
    here = data[offsets[0] : offsets[-1]]
    return not len(here) or int(here.max()) < 0x80
