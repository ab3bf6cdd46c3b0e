"""Bytes eight at a time: where in a little-endian word the first byte of a kind stands, without a branch for each.

The tests are those of Mycroft (1987) and of Anderson's "Bit Twiddling Hacks" (public domain): each marks the upper bit
of the first byte it is about, and maybe of bytes after that one, never of one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import config
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from tamis.text.inline import inlined
from tamis.text.kernel import proven_kernel

# What is read as words needs so many bytes after its end.
PADDING = 8
# A byte in each place: 0x01, 0x80, and so on, as signed words.
ONES = 0x0101010101010101
HIGHS = -0x7F7F7F7F7F7F7F80
_LOWER_CASE = 0x20 * ONES
_MIX = 0x1E3779B97F4A7C15
NAME_MASK = (1 << 47) - 1


def _load_bytes(data: Any, at: Any) -> Any:
    """Return the word of the bytes `at` to `at + 7` of `data` (uint8), each looked up."""
    word = np.int64(0)
    for step in range(8):
        word |= np.int64(data[at + step]) << (8 * step)
    return word


def _store_bytes(data: Any, at: Any, word: Any) -> Any:
    """Write a word to the bytes `at` to `at + 7` of `data` (uint8), each looked up."""
    for step in range(8):
        data[at + step] = (word >> (8 * step)) & 0xFF


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind = signature.args[0]
    array = make_array(kind)(context, builder, arguments[0])  # type: ignore[no-untyped-call]
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())


@intrinsic
def _load_word(typing: Any, data: Any, at: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, signature, arguments), align=1)

    return types.int64(data, types.intp), generate


@intrinsic
def _store_word(typing: Any, data: Any, at: Any, word: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _place(context, builder, signature, arguments), align=1)
        return context.get_dummy_value()

    return types.none(data, types.intp, types.int64), generate


# With NUMBA_BOUNDSCHECK or NUMBA_DISABLE_JIT set, as where pages are made to do harm, every byte is looked up.
_CHECKED = bool(config.BOUNDSCHECK or config.DISABLE_JIT)  # type: ignore[attr-defined]
load: Callable[..., Any] = numba.njit(nogil=True)(_load_bytes) if _CHECKED else _load_word
store: Callable[..., Any] = numba.njit(nogil=True)(_store_bytes) if _CHECKED else _store_word


@inlined
def is_byte(word: Any, pattern: Any) -> Any:
    """Mark bytes of a word that are those of `pattern`, which is one byte in each place."""
    other = word ^ pattern
    return (other - ONES) & ~other & HIGHS


@inlined
def is_blank(word: Any) -> Any:
    """Mark bytes of a word up to the space, 0x20."""
    return (word - 0x21 * ONES) & ~word & HIGHS


@inlined
def first(marks: Any) -> Any:
    """Return the number of the first byte marked; there is one."""
    return ((((marks & -marks) - 1) & ONES) * ONES >> 56) - 1


@inlined
def mixed(found: Any, word: Any) -> Any:
    """Return a hash of a hash and a word."""
    return ((found ^ word) * _MIX) ^ (((found ^ word) * _MIX) >> 32)


# Bounds of all below: words begin before `end`, the end of the data, after which there are PADDING bytes, zeros.
@proven_kernel
def find(data: Any, at: Any, end: Any, byte: Any) -> Any:
    """Return where the next `byte` (1 to 0x7F) stands, from `at` on, or `end`."""
    pattern = byte * ONES
    while at < end:
        marks = is_byte(load(data, at), pattern)
        if marks:
            return at + first(marks)
        at += 8
    return end


@proven_kernel
def skip_blank(data: Any, at: Any, end: Any) -> Any:
    """Return the next position, from `at` on, of a byte above 0x20, or `end`."""
    while at < end:
        word = load(data, at)
        above = (((word & ~HIGHS) + 0x5F * ONES) | word) & HIGHS
        if above:
            return at + first(above)
        at += 8
    return end


@proven_kernel
def read_word(data: Any, at: Any, end: Any, equals: Any) -> Any:
    """Return (hash, position after it) of the name at `at`, letters in lower case.

    A name ends before a blank or control character, `/` and `>`; with `equals`, before `=` as well.
    """
    found = np.int64(0)
    marks = np.int64(0)
    while marks == 0:
        word = load(data, at)
        marks = is_blank(word) | is_byte(word, 0x2F * ONES) | is_byte(word, 0x3E * ONES)
        if equals:
            marks |= is_byte(word, 0x3D * ONES)
        below = np.int64(-1)
        if marks:
            below = ((marks & -marks) - 1) >> 7
            at += first(marks)
        else:
            at += 8
        found = mixed(found, (word | _LOWER_CASE) & below)
    return found & NAME_MASK, min(at, end)


@proven_kernel
def span_hash(data: Any, start: Any, stop: Any) -> Any:
    """Return the hash, not 0, of the bytes from `start` to `stop`."""
    found = np.int64(stop - start)
    while stop - start >= 8:
        found = mixed(found, load(data, start))
        start += 8
    if stop > start:
        found = mixed(found, load(data, start) & ((np.int64(1) << (8 * (stop - start))) - 1))
    return found | 1


def word_hash(name: str) -> int:
    """Return what `read_word` does for a name, without Numba."""
    raw = name.encode()
    found = 0
    for at in range(0, len(raw) + 1, 8):
        part = raw[at : at + 8]
        word = int.from_bytes(part, "little") | (_LOWER_CASE & ((1 << 8 * len(part)) - 1))
        product = _signed((found ^ word) * _MIX)
        found = product ^ (product >> 32)
    return found & NAME_MASK


def _signed(value: int) -> int:
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
