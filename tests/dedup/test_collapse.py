"""Whitespace collapse in blocks: against a plain twin, with runs of spaces at every place of a block."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.dedup.exact import exact_keys

# What Unicode calls White_Space.
SPACE = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
PIECES = st.sampled_from([" ", "  ", "\n", "\r\n", "\t", "\x85", "\u00a0", "\u2003", "\u3000", "\u205f", "é", "â", "ภ"])


def keys(*texts: str) -> list[bytes | None]:
    return exact_keys(pa.array(texts, pa.large_string())).to_pylist()


def twin(text: str) -> bytes | None:
    text = re.sub(SPACE, " ", text).strip(" ")
    return xxhash.xxh3_128_digest(text.encode()) if text else None


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(st.one_of(PIECES, st.text("abc", max_size=90)), max_size=12).map("".join), max_size=3))
def test_keys_are_those_of_the_plain_definition(texts: list[str]) -> None:
    assert keys(*texts) == [twin(text) for text in texts]


@pytest.mark.parametrize("space", ["  ", " \n", "\n", "\u2003", "\u3000 ", "\u00a0"])
def test_a_space_at_every_place_of_a_block(space: str) -> None:
    texts = ["x" * place + space + "y" * (140 - place) for place in range(141)]
    assert keys(*texts) == [twin(text) for text in texts]
