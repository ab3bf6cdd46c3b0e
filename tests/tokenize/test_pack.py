"""Packing: no id lost but what is said, boundaries kept, best fit wastes least."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import ConfigError
from tamis.tokenize.pack import Packer

SIZES = st.lists(st.integers(0, 40), max_size=40)


def documents(sizes):
    """Return documents whose ids say which document and place they are: no two alike."""
    starts = np.cumsum([1, *sizes])
    return [np.arange(start, start + size, dtype=np.uint32) for start, size in zip(starts, sizes, strict=False)]


def pieces(sample):
    return [sample.input_ids[a:b] for a, b in zip(sample.cu_seqlens, sample.cu_seqlens[1:], strict=False)]


@settings(deadline=None, max_examples=150)
@given(sizes=SIZES, length=st.integers(1, 50), window=st.integers(1, 50), how=st.sampled_from(["chunk", "best_fit"]))
def test_every_id_is_in_one_sample(sizes, length, window, how):
    packer = Packer(documents(sizes), length, how=how, window=window)
    samples = list(packer)
    assert all(len(sample.input_ids) == length for sample in samples)
    found = sorted(value for sample in samples for piece in pieces(sample) for value in piece.tolist())
    assert found == list(range(1, sum(sizes) + 1))
    assert (packer.loss.tokens, packer.loss.truncated) == (sum(sizes), 0)
    assert packer.loss.kept + packer.loss.padding == length * packer.loss.samples == length * len(samples)
    for sample in samples:
        assert not sample.input_ids[sample.cu_seqlens[-1] :].any()
        for piece in pieces(sample):
            assert np.array_equal(np.diff(piece), np.ones(len(piece) - 1))  # of one document, in order


@settings(deadline=None, max_examples=60)
@given(sizes=SIZES, length=st.integers(1, 50))
def test_unpacked_says_what_it_cut(sizes, length):
    packer = Packer(documents(sizes), length, how="none", pad_id=0)
    samples = list(packer)
    assert len(samples) == sum(size > 0 for size in sizes)
    assert packer.loss.truncated == sum(max(0, size - length) for size in sizes)
    assert packer.loss.padding == sum(max(0, length - size) for size in sizes if size)


def test_best_fit_cuts_no_document_that_fits():
    sizes = [30, 70, 50, 50, 20, 80, 100, 130]
    packer = Packer(documents(sizes), 100)
    samples = [sorted(map(len, pieces(sample))) for sample in packer]
    assert sorted(samples) == [[20, 80], [30], [30, 70], [50, 50], [100], [100]]
    assert "padding 11.67%" in str(packer.loss)
    assert "truncation 0.00%" in str(packer.loss)


def test_positions_start_again_in_every_piece_and_in_the_padding():
    (sample,) = Packer(documents([3, 2]), 8, pad_id=9)
    assert sample.position_ids.tolist() == [0, 1, 2, 0, 1, 0, 1, 2]
    assert sample.cu_seqlens.tolist() == [0, 3, 5]
    assert sample.input_ids.tolist() == [1, 2, 3, 4, 5, 9, 9, 9]


def test_a_wrong_option_is_said():
    with pytest.raises(ConfigError, match="Unknown packing 'best'"):
        Packer([], 8, how="best")
    with pytest.raises(ConfigError, match="length is 0"):
        Packer([], 0)
