"""MinHash values on CUDA: the minima of a x + b mod 2^64 over each document's shingles, bit for bit those of the CPU.

Torch has no unsigned minimum of 64 bits. Adding 2^63 to b turns unsigned order into signed order, and is taken off at
the end; sums and products wrap the same in both. A fused kernel in Triton, which comes with torch on CUDA, holds
everything in registers; without it, torch's own operations do the same through memory, on any device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.scoring import device as devices

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

# Shingles one program goes through: longer documents are cut, so that none is waited for.
SEGMENT = 4096
# Values that exist at once where nothing is fused: 64 M of 8 bytes on a card, and what stays in cache on a CPU.
_VALUES = {"cuda": 1 << 26, "cpu": 1 << 19}
_FLIP = np.uint64(1 << 63)


def minima(offsets: Ints, hashes: Hashes, multipliers: Hashes, increments: Hashes, device: str = "cuda") -> Hashes:
    """Return the least a x + b mod 2^64 of each document for each permutation, uint64 (documents, permutations).

    `offsets`, int64 (documents + 1,), says where each document's shingles lie in `hashes`; the greatest value stands
    for a document without any. `device` is one of torch's.
    """
    torch = devices.torch_module()
    bounds, owners = segments(offsets, SEGMENT)
    given = [devices.upload(each.view(np.int64), device) for each in (hashes, multipliers, increments + _FLIP)]
    places = devices.upload(bounds, device)
    found = of_pieces(places, *given)
    if len(bounds) != len(offsets):
        whole = torch.full((len(offsets) - 1, len(multipliers)), _GREATEST, dtype=torch.int64, device=device)
        index = devices.upload(owners, device)[:, None].expand_as(found)
        found = whole.scatter_reduce_(0, index, found, "amin")
    values: Hashes = found.cpu().numpy().view(np.uint64) ^ _FLIP
    return values


_GREATEST = (1 << 63) - 1


def of_pieces(bounds: Any, hashes: Any, multipliers: Any, increments: Any) -> Any:
    """Return the least a x + b of each piece, signed, int64 (pieces, permutations), all on the device they are on."""
    kernel = _fused() if hashes.is_cuda else None
    return (kernel or _plain)(bounds, hashes, multipliers, increments)


def segments(offsets: Ints, size: int) -> tuple[Ints, Ints]:
    """Return documents cut into pieces of at most `size`: bounds (pieces + 1,), and each piece's document (pieces,).

    A document without shingles is one empty piece.
    """
    counts = np.maximum(1, -(-np.diff(offsets) // size))
    owners = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    first = np.cumsum(counts) - counts
    starts = offsets[:-1][owners] + (np.arange(len(owners)) - first[owners]) * size
    return np.concatenate([starts, offsets[-1:]]).astype(np.int64), owners


def _plain(bounds: Any, hashes: Any, multipliers: Any, increments: Any) -> Any:
    """Return the minima of pieces by torch's own operations, a bounded number of values at a time."""
    torch = devices.torch_module()
    pieces, permutations = len(bounds) - 1, len(multipliers)
    place = hashes.device
    found = torch.full((pieces, permutations), _GREATEST, dtype=torch.int64, device=place)
    sizes = bounds[1:] - bounds[:-1]
    rows = torch.repeat_interleave(torch.arange(pieces, device=place), sizes)
    start = int(bounds[0])
    step = max(1, _VALUES[place.type] // permutations)
    for first in range(0, len(rows), step):
        mine = hashes[start + first : start + first + step]
        values = mine[: len(rows) - first, None] * multipliers + increments
        index = rows[first : first + step, None].expand_as(values)
        found.scatter_reduce_(0, index, values, "amin")
    return found


def _fused() -> Callable[[Any, Any, Any, Any], Any] | None:
    try:
        from tamis.scoring.minima_triton import run
    except ImportError:
        return None
    return run
