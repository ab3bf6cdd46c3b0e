"""Normalisation: CCNet's rules written out, and the kernel that must agree with them on any line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.perplexity.encode import normalise
from tamis.perplexity.normalise import PRESETS, SLOW, Normaliser, code_table


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("  Élan 1998… ", "elan 0000..."),
        ("“Ça”—dit-il", '"ca" - dit-il'),
        ("１", "0"),  # the digit rule comes before the map's slip
        ("a\tb\x00c\x7f", "abc"),
        ("ΟΔΟΣ", "οδος"),
        ("", ""),
    ],
)
def test_ccnet_rules(line, wanted):
    assert Normaliser().plain(line) == wanted


def test_lines_may_be_joined():
    assert Normaliser().lines("A b\nc") == ["a b", "c"]
    assert Normaliser(join_lines=True).lines("A b\nc") == ["a bc"]


@pytest.mark.parametrize("preset", sorted(PRESETS))
@settings(deadline=None, max_examples=150)
@given(
    line=st.text(
        st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("Σ각１\u00a0 éÅ\x00\u0315")), max_size=30
    )
)
def test_kernel_agrees_with_the_rules(preset, line):
    normaliser = PRESETS[preset]
    line = line.replace("\n", " ")
    table = code_table(normaliser)
    data = np.frombuffer(line.encode(), np.uint8)
    out = np.empty(4 * len(data) + 64, np.uint8)
    size = normalise(data, 0, len(data), table.starts, table.out, table.kind, normaliser.strip_accents, out)
    if size < 0:
        assert any(table.kind[ord(c)] == SLOW for c in line if ord(c) < len(table.kind))
    else:
        assert out[:size].tobytes().decode() == normaliser.plain(line)
