"""MinHash by torch, as on CUDA: bit for bit what the CPU kernel gives."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="MinHash on CUDA needs torch")

from tamis.dedup.minhash import minhashes, permutations  # noqa: E402
from tamis.scoring import minima  # noqa: E402

TRITON = """
import numpy as np
from tamis.dedup.minhash import minhashes, permutations
from tamis.scoring import minima
from tamis.scoring.minima_triton import run
minima._plain = run
sizes = np.array([3, 0, 200, 130])
offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
hashes = np.random.default_rng(0).integers(0, 1 << 64, offsets[-1], dtype=np.uint64)
assert np.array_equal(minima.minima(offsets, hashes, *permutations(112, 1), "cpu"), minhashes(offsets, hashes, 112, 1))

import torch
from tamis.scoring.surprise_triton import run as surprise
logits, targets = torch.randn(7, 5000) * 4, torch.randint(0, 5000, (7,))
for given in (logits, logits.bfloat16(), logits[:, :4097]):
    wanted = torch.nn.functional.cross_entropy(given.float(), targets % given.shape[1], reduction="none")
    assert torch.allclose(surprise(given, targets % given.shape[1]), wanted, atol=1e-4)
"""


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 40), st.integers(0, 3), st.integers(1, 9))
@settings(deadline=None, max_examples=60)
def test_values_are_those_of_the_kernel(sizes: list[int], count: int, skip: int, segment: int) -> None:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)[min(skip, len(sizes)) :]
    hashes = np.random.default_rng(count).integers(0, 1 << 64, sum(sizes), dtype=np.uint64)
    before, minima.SEGMENT = minima.SEGMENT, segment
    try:
        found = minima.minima(offsets, hashes, *permutations(count, 1), device="cpu")
    finally:
        minima.SEGMENT = before
    assert np.array_equal(found, minhashes(offsets, hashes, count, 1))


def test_pieces_are_those_of_their_documents() -> None:
    bounds, owners = minima.segments(np.array([5, 5, 12, 13]), 3)
    assert bounds.tolist() == [5, 5, 8, 11, 12, 13] and owners.tolist() == [0, 1, 1, 1, 2]


def test_the_fused_kernels_give_the_same_when_interpreted() -> None:
    pytest.importorskip("triton", reason="the fused kernel needs triton, which comes with torch on CUDA")
    subprocess.run([sys.executable, "-c", TRITON], check=True, env=os.environ | {"TRITON_INTERPRET": "1"}, timeout=120)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_card_gives_the_same() -> None:
    sizes = np.random.default_rng(1).integers(0, 9000, 200)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    hashes = np.random.default_rng(2).integers(0, 1 << 64, offsets[-1], dtype=np.uint64)
    found = minima.minima(offsets, hashes, *permutations(112, 1), device="cuda")
    assert np.array_equal(found, minhashes(offsets, hashes, 112, 1))
