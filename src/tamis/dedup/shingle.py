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

from tamis.columns import text_buffers
from tamis.dedup.options import DedupOptions
from tamis.text.kernel import kernel

Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Table = npt.NDArray[np.uint32]

_SEPARATOR, _WORD, _UNIT, _MARK, _IGNORED = range(5)

# Odd 64-bit constants without structure: golden ratio (unit hash), PCG's multiplier (rolling base), murmur3's mixer.
_UNIT_BASE = np.uint64(0x9E3779B97F4A7C15)
_ROLL_BASE = np.uint64(0x5851F42D4C957F2D)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_33 = np.uint64(33)


@cache
def _table() -> tuple[Offsets, Table]:
    """Return the two-stage table of tools/make_shingle_table.py: block of cp >> 8, then one word per code point."""
    with resources.files("tamis.dedup").joinpath("shingle_table.npz").open("rb") as file, np.load(file) as table:
        return table["index"] * 256, table["blocks"]


@kernel
def mix(value: np.uint64) -> np.uint64:
    """Return murmur3's 64-bit finaliser of `value`."""
    value = (value ^ (value >> _33)) * _MIX_1
    value = (value ^ (value >> _33)) * _MIX_2
    return value ^ (value >> _33)


@kernel
def _decode(data: Bytes, at: Any, end: Any) -> tuple[Any, Any]:
    """Return (code point, next position); bytes that are no UTF-8 read as U+FFFD, one at a time."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead, at + 1
    size = 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4 if 0xF0 <= lead < 0xF5 else 0
    if size == 0 or at + size > end:
        return np.int64(0xFFFD), at + 1
    point = lead & (0x7F >> size)
    for step in range(1, size):
        point = (point << 6) | (np.int64(data[at + step]) & 0x3F)
    return min(point, np.int64(0x10FFFF)), at + size


@kernel
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


@kernel
def _walk(  # long: one loop reads each byte once; a call per byte or unit costs measured speed
    offsets: Offsets,
    data: Bytes,
    index: Offsets,
    blocks: Table,
    length: int,
    by_char: bool,
    counts: Offsets,
    hashes: Hashes,
) -> int:
    """Write each text's shingle hashes one after another; return how many. One loop: each byte is read once."""
    ring = np.zeros(length, np.uint64)
    drop = np.uint64(1)
    for _ in range(length):
        drop *= _ROLL_BASE
    ascii_index = index[0]
    out = 0
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        begun, units, slot, rolled = out, 0, 0, np.uint64(0)
        unit, state = np.uint64(0), _SEPARATOR
        ring[:] = np.uint64(0)
        while at <= end:
            # The end of the text closes the open unit as a separator does.
            kind, point = np.int64(_SEPARATOR), np.int64(0)
            if at < end:
                point = np.int64(data[at])
                if point < 0x80:
                    at += 1
                    word = blocks[ascii_index + point]
                else:
                    point, at = _decode(data, at, end)
                    word = blocks[index[point >> 8] + (point & 255)]
                kind = np.int64((word >> np.uint32(21)) & np.uint32(7))
                point ^= np.int64(word & np.uint32(0x1FFFFF))
                if kind == _IGNORED:
                    continue
                if kind == _WORD and state == _WORD and not by_char:
                    unit = (unit ^ np.uint64(point)) * _UNIT_BASE
                    continue
            else:
                at += 1
            closes = state != _SEPARATOR
            if kind == _MARK and closes and not by_char:
                unit = (unit ^ np.uint64(point)) * _UNIT_BASE
                continue
            # Among characters, a border between words is a unit of its own, written when the next word begins.
            if closes or (by_char and units > 0 and kind != _SEPARATOR):
                value = mix(unit if closes else _UNIT_BASE)
                rolled = rolled * _ROLL_BASE + value - ring[slot] * drop
                ring[slot] = value
                slot = slot + 1 if slot + 1 < length else 0
                units += 1
                if units >= length:
                    hashes[out] = mix(rolled)
                    out += 1
            if kind == _SEPARATOR:
                state = _SEPARATOR
            else:
                state = _UNIT if kind == _UNIT else _WORD
                unit = (_UNIT_BASE ^ np.uint64(point)) * _UNIT_BASE
        counts[row] = out - begun
    return out


def composed(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return the texts in NFC; most are already, and only those that may not be are rewritten."""
    offsets, data = text_buffers(texts)
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
    offsets, data = text_buffers(texts)
    counts = np.zeros(len(texts), np.int64)
    # A unit takes at least one byte; pages of this buffer that no hash reaches are never touched.
    hashes = np.empty(int(offsets[-1] - offsets[0]) + 1, np.uint64)
    by_char = options.shingle_chars > 0
    used = _walk(offsets, data, *_table(), options.units, by_char, counts, hashes)
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts, hashes[:used]
