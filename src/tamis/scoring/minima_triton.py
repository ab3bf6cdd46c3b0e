"""The fused MinHash kernel: one program per piece of a document and block of permutations, minima in registers."""

from __future__ import annotations

from typing import Any

import torch
import triton  # type: ignore[import-not-found,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,unused-ignore]

# Permutations and shingles that one step of a program holds: 2,048 values, sixteen a thread.
PERMUTATIONS = tl.constexpr(16)
SHINGLES = tl.constexpr(128)
GREATEST = tl.constexpr((1 << 63) - 1)


# Triton reads the annotations of a kernel as its own, so there are none.
@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _least(bounds, hashes, multipliers, increments, out, count):  # type: ignore[no-untyped-def]
    """Write the least of a x + b of one piece for PERMUTATIONS of them; signed, and wrapping at 64 bits.

    Each thread keeps its own minima, and they are brought together once, at the end.
    """
    piece = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * PERMUTATIONS + tl.arange(0, PERMUTATIONS)
    wanted = column < count
    a = tl.load(multipliers + column, mask=wanted, other=0)
    b = tl.load(increments + column, mask=wanted, other=0)
    start, end = tl.load(bounds + piece), tl.load(bounds + piece + 1)
    least = tl.full((PERMUTATIONS, SHINGLES), GREATEST, tl.int64)
    for first in range(start, end, SHINGLES):
        place = first + tl.arange(0, SHINGLES)
        here = place < end
        x = tl.load(hashes + place, mask=here, other=0)
        values = a[:, None] * x[None, :] + b[:, None]
        least = tl.minimum(least, tl.where(here[None, :], values, GREATEST))
    tl.store(out + piece * count + column, tl.min(least, axis=1), mask=wanted)


def run(bounds: Any, hashes: Any, multipliers: Any, increments: Any) -> Any:
    """Return the minima of pieces, int64 (pieces, permutations), on the tensors' device."""
    pieces, count = len(bounds) - 1, len(multipliers)
    found = torch.empty((pieces, count), dtype=torch.int64, device=hashes.device)
    if pieces:
        grid = (pieces, triton.cdiv(count, PERMUTATIONS.value))
        with torch.cuda.device_of(hashes):
            _least[grid](bounds, hashes, multipliers, increments, found, count)
    return found
