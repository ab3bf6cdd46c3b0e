"""Span hashes: the same for the same bytes, different otherwise, and well mixed."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.text.hashing import hash_span

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def twin(data: bytes) -> int:
    def absorb(state: int, value: int) -> int:
        state = (state ^ value) * GOLDEN & MASK
        return state ^ state >> 29

    state = GOLDEN ^ len(data)
    for at in range(0, len(data) // 8 * 8, 8):
        state = absorb(state, int.from_bytes(data[at : at + 8], "little"))
    state = absorb(state, int.from_bytes(data[len(data) // 8 * 8 :], "little"))
    state = (state ^ state >> 33) * 0xFF51AFD7ED558CCD & MASK
    state = (state ^ state >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return state ^ state >> 33


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40), st.binary(max_size=9), st.binary(max_size=9))
def test_a_span_hashes_as_its_plain_twin(data: bytes, before: bytes, after: bytes) -> None:
    whole = np.frombuffer(before + data + after + b"\0", np.uint8)
    assert int(hash_span(whole, len(before), len(before) + len(data))) == twin(data)


def test_one_bit_flips_half_of_the_hash() -> None:
    base = np.frombuffer(b"the quick brown fox jumps", np.uint8).copy()
    first, flipped = int(hash_span(base, 0, len(base))), []
    for bit in range(8 * len(base)):
        other = base.copy()
        other[bit // 8] ^= 1 << bit % 8
        flipped.append((first ^ int(hash_span(other, 0, len(other)))).bit_count())
    assert 29 < np.mean(flipped) < 35 and min(flipped) > 12
