"""MinHash by torch, as on CUDA: bit for bit what the CPU kernel gives."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="MinHash on CUDA needs torch")

from tamis.dedup.minhash import minhashes, permutations, sign  # noqa: E402
from tamis.dedup.options import DedupOptions  # noqa: E402
from tamis.scoring import minima  # noqa: E402

TRITON = """
import numpy as np
from tamis.dedup.minhash import minhashes, permutations
from tamis.scoring import minima
from tamis.scoring.minima_triton import run
assert minima.agrees(run, "cpu")
minima.plain = run
sizes = np.array([3, 0, 200, 130])
offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
hashes = np.random.default_rng(0).integers(0, 1 << 64, offsets[-1], dtype=np.uint64)
assert np.array_equal(minima.minima(offsets, hashes, *permutations(112, 1), "cpu"), minhashes(offsets, hashes, 112, 1))

import torch
from tamis.scoring import heads
from tamis.scoring.surprise_triton import run as surprise
logits, targets = torch.randn(7, 5000) * 4, torch.randint(0, 5000, (7,))
for given in (logits, logits.bfloat16(), logits[:, :4097]):
    wanted = torch.nn.functional.cross_entropy(given.float(), targets % given.shape[1], reduction="none")
    assert heads.agrees(surprise, "cpu")
    assert torch.allclose(surprise(given, targets % given.shape[1]), wanted, atol=1e-4)
"""


@given(
    st.lists(st.integers(0, 40), max_size=12),
    st.integers(1, 40),
    st.integers(0, 3),
    st.integers(1, 9),
    st.sampled_from([1, 64, 1000, 1 << 17]),
    st.sampled_from([1, 10, 50, 1 << 23]),
)
@settings(deadline=None, max_examples=80)
def test_values_are_those_of_the_kernel(
    sizes: list[int], count: int, skip: int, segment: int, at_once: int, load: int
) -> None:
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)[min(skip, len(sizes)) :]
    hashes = np.random.default_rng(count).integers(0, 1 << 64, sum(sizes), dtype=np.uint64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minima, "SEGMENT", segment)
        patch.setattr(minima, "LOAD", load)
        patch.setitem(minima._VALUES, "cpu", at_once)
        found = minima.minima(offsets, hashes, *permutations(count, 1), device="cpu")
    assert np.array_equal(found, minhashes(offsets, hashes, count, 1))


def test_the_ends_of_the_range_and_a_huge_document_are_no_exception() -> None:
    # Sums at both ends of 64 bits, where unsigned and signed order part.
    ends = np.array([0, 1, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1], np.uint64)
    hashes = np.concatenate([ends, np.random.default_rng(3).integers(0, 1 << 64, 40_000, dtype=np.uint64)])
    offsets = np.array([0, 1, 2, 3, 4, 5, 6, 6, len(hashes)])
    found = minima.minima(offsets, hashes, np.ones(3, np.uint64), ends[[0, 3, 5]], device="cpu")
    wanted = [
        [(values + b).min(initial=np.uint64((1 << 64) - 1)) for b in ends[[0, 3, 5]]]
        for values in np.split(hashes, offsets[1:-1])
    ]
    assert found.tolist() == np.array(wanted, np.uint64).tolist()
    assert np.array_equal(
        minima.minima(offsets, hashes, *permutations(9, 4), device="cpu"), minhashes(offsets, hashes, 9, 4)
    )


@pytest.mark.parametrize("number", range(3))
def test_signatures_are_the_same_in_threads_too(number: int) -> None:
    random = Random(number)
    words = ["", " ", "\n", "word", "слово", "字字字", "ไทย", "!!!"]
    texts = [None, "", "one", "one two three four", *(" ".join(random.choices(words, k=k)) for k in range(60))]
    column = pa.array([*texts, "the same words again and again " * 9000], pa.large_string())

    def values(offsets: Any, hashes: Any, count: int, seed: int) -> Any:
        return minima.minima(offsets, hashes, *permutations(count, seed), "cpu")

    for options in (DedupOptions(), DedupOptions(keep_sets=True, seed=9), DedupOptions(shingle_chars=7, band_sets=1)):
        with ThreadPoolExecutor(3) as threads:
            found = sign(column, options, minhashes=values, each=threads.map)
        assert found.equals(sign(column, options), check_metadata=True)


def test_a_kernel_is_not_trusted_unseen(caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no C compiler")

    assert minima.agrees(minima.plain, "cpu") and not caplog.messages
    assert not minima.agrees(lambda *given: minima.plain(*given) + 1, "cpu")
    assert not minima.agrees(broken, "cpu")
    assert "gives other values" in caplog.messages[0] and "no C compiler" in caplog.messages[1]


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
