"""64-bit hashes of bytes and words: fast, well mixed, the same on every machine and in every run.

A span is hashed eight bytes at a time, each multiplied in with 64-bit odd constants, and finished with murmur3's mixer
(Appleby, public domain); not for adversaries: collisions can be constructed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.text.inline import inlined
from tamis.text.kernel import kernel

# Odd 64-bit constants without structure: the golden ratio, PCG's multiplier, and murmur3's two.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ROLL = np.uint64(0x5851F42D4C957F2D)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_29, _33 = np.uint64(29), np.uint64(33)


@inlined
def mix(value: Any) -> Any:
    """Return murmur3's 64-bit finaliser of a uint64: each input bit flips each output bit with probability one half."""
    value = (value ^ (value >> _33)) * _MIX_1
    value = (value ^ (value >> _33)) * _MIX_2
    return value ^ (value >> _33)


@inlined
def absorb(state: Any, value: Any) -> Any:
    """Return the uint64 `state` with the uint64 `value` multiplied in; order matters. Finish with `mix`."""
    state = (state ^ value) * GOLDEN
    return state ^ (state >> _29)


@inlined
def gather(state: Any, point: Any) -> Any:
    """As `absorb`, for values below 2**32: their few bits need no spreading, which halves the time per character."""
    return (state ^ point) * GOLDEN


@kernel
def hash_span(data: Any, start: Any, end: Any) -> Any:
    """Return the hash (uint64) of the bytes data[start:end]; its length counts, so a NUL at the end is no nothing."""
    state = GOLDEN ^ np.uint64(end - start)
    at = start
    while at + 8 <= end:
        word = np.uint64(0)
        for place in range(8):
            word |= np.uint64(data[at + place]) << np.uint64(8 * place)
        state = absorb(state, word)
        at += 8
    word = np.uint64(0)
    for place in range(end - at):
        word |= np.uint64(data[at + place]) << np.uint64(8 * place)
    return mix(absorb(state, word))
