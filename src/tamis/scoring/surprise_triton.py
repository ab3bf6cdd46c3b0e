"""The fused output kernel: -ln p of one token for each row of logits, read once in the type they have."""

from __future__ import annotations

from typing import Any

import torch
import triton  # type: ignore[import-not-found,unused-ignore]
import triton.language as tl  # type: ignore[import-not-found,unused-ignore]

WORDS = tl.constexpr(2048)
# Stands for minus infinity, which less itself would be no number.
LEAST = tl.constexpr(-1e30)


# Triton reads the annotations of a kernel as its own, so there are none.
@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _surprise(logits, targets, out, words, stride):  # type: ignore[no-untyped-def]
    """Write ln Σ exp(logits) - logits[target] of one row, by running maxima (Milakov & Gimelshein 2018)."""
    row = tl.program_id(0).to(tl.int64)
    greatest = tl.full((WORDS,), LEAST, tl.float32)
    total = tl.zeros((WORDS,), tl.float32)
    for first in range(0, words, WORDS):
        column = first + tl.arange(0, WORDS)
        value = tl.load(logits + row * stride + column, mask=column < words, other=LEAST).to(tl.float32)
        higher = tl.maximum(greatest, value)
        total = total * tl.exp(greatest - higher) + tl.exp(value - higher)
        greatest = higher
    whole = tl.max(greatest, axis=0)
    total = tl.sum(total * tl.exp(greatest - whole), axis=0)
    chosen = tl.load(logits + row * stride + tl.load(targets + row)).to(tl.float32)
    tl.store(out + row, tl.log(total) + whole - chosen)


def run(logits: Any, targets: Any) -> Any:
    """Return -ln p of `targets`, int64 (rows,), under `logits` (rows, words): fp32 (rows,)."""
    rows, words = logits.shape
    out = torch.empty(rows, dtype=torch.float32, device=logits.device)
    if rows:
        with torch.cuda.device_of(logits):
            _surprise[(rows,)](logits, targets, out, words, logits.stride(0))
    return out
