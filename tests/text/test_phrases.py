"""Phrases are found as plain Python finds them, whatever their case, place and neighbours."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.filters.line_rules import PHRASES
from tamis.text.phrases import Phrases, find

TABLES = Phrases.of(PHRASES).arrays()
PIECES = [*PHRASES, *(phrase[:-1] for phrase in PHRASES), *(phrase[1:] for phrase in PHRASES), "USE COOKIES",
          "JavaScript", " ", "é", "{", "k", "[", "x"]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), st.integers(0, 3), st.integers(0, 3))
def test_found_as_plain_python_finds(text: str, before: int, after: int) -> None:
    data = text.encode()
    start, end = min(before, len(data)), max(len(data) - after, min(before, len(data)))
    inside = data[start:end].lower()
    bits = sum(1 << number for number, phrase in enumerate(PHRASES) if phrase.encode() in inside)
    assert find(np.frombuffer(data or b" ", np.uint8), start, end, *TABLES) == bits


def test_phrases_that_share_their_rarest_pair_are_told_apart() -> None:
    tables = Phrases.of(["jaxa", "jax", "{jax", "{"]).arrays()
    found = [find(np.frombuffer(text, np.uint8), 0, len(text), *tables) for text in (b"jaxa", b"{JAX", b"{", b"jay")]
    assert found == [0b0011, 0b1110, 0b1000, 0]
