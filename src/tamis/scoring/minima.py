"""MinHash values on CUDA: the minima of a x + b mod 2^64 over each document's shingles, bit for bit those of the CPU.

Torch has no unsigned minimum of 64 bits. Adding 2^63 to b turns unsigned order into signed order, and is taken off at
the end; sums and products wrap the same in both. A fused kernel in Triton, which comes with torch on CUDA, holds
everything in registers; without it, torch's own operations do the same through memory, on any device.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.scoring import device as devices

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Kernel = Callable[[Any, Any, Any, Any], Any]

log = logging.getLogger("tamis")

# Shingles one program goes through: longer documents are cut, so that none is waited for.
SEGMENT = 4096
# Shingles copied to a device at a time: 64 MB.
LOAD = 1 << 23
# Values that exist at once where nothing is fused: 64 M of 8 bytes on a card, and what stays in cache on a CPU.
_VALUES = {"cuda": 1 << 26, "cpu": 1 << 17}
_FLIP = np.uint64(1 << 63)
_GREATEST = (1 << 63) - 1
_LEAST = -(1 << 63)


def minima(offsets: Ints, hashes: Hashes, multipliers: Hashes, increments: Hashes, device: str = "cuda") -> Hashes:
    """Return the least a x + b mod 2^64 of each document for each permutation, uint64 (documents, permutations).

    `offsets`, int64 (documents + 1,), says where each document's shingles lie in `hashes`; the greatest value stands
    for a document without any. `device` is one of torch's.
    """
    documents = len(offsets) - 1
    if not documents:
        return np.empty((0, len(multipliers)), np.uint64)
    given = [devices.upload(each.view(np.int64), device) for each in (multipliers, increments + _FLIP)]
    # While the device has one load, the next is brought into memory that it can copy from.
    inner = np.searchsorted(offsets, np.arange(offsets[0] + LOAD, offsets[-1], LOAD))
    loads = pairwise(np.unique([0, *inner, documents]).tolist())
    found = [_of_documents(offsets[start : end + 1], hashes, *given) for start, end in loads]
    return devices.fetch(devices.torch_module().cat(found).bitwise_xor_(_LEAST)).view(np.uint64)


def _of_documents(offsets: Ints, hashes: Hashes, multipliers: Any, increments: Any) -> Any:
    """Return the least a x + b of each document, signed, int64 (documents, permutations), on the device of the two."""
    torch, device = devices.torch_module(), multipliers.device
    mine = devices.upload(hashes[offsets[0] : offsets[-1]].view(np.int64), device)
    bounds, owners = segments(offsets - offsets[0], SEGMENT)
    found = of_pieces(devices.upload(bounds, device), mine, multipliers, increments)
    if len(bounds) == len(offsets):
        return found
    whole = torch.full((len(offsets) - 1, len(multipliers)), _GREATEST, dtype=torch.int64, device=device)
    index = devices.upload(owners, device)[:, None].expand_as(found)
    return whole.scatter_reduce_(0, index, found, "amin")


def of_pieces(bounds: Any, hashes: Any, multipliers: Any, increments: Any) -> Any:
    """Return the least a x + b of each piece, signed, int64 (pieces, permutations), all on the device they are on."""
    kernel = (fused() if hashes.is_cuda else None) or plain
    return kernel(bounds, hashes, multipliers, increments)


def segments(offsets: Ints, size: int) -> tuple[Ints, Ints]:
    """Return documents cut into pieces of at most `size`: bounds (pieces + 1,), and each piece's document (pieces,).

    A document without shingles is one empty piece.
    """
    counts = np.maximum(1, -(-np.diff(offsets) // size))
    owners = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    first = np.cumsum(counts) - counts
    starts = offsets[:-1][owners] + (np.arange(len(owners)) - first[owners]) * size
    return np.concatenate([starts, offsets[-1:]]).astype(np.int64), owners


def plain(bounds: Any, hashes: Any, multipliers: Any, increments: Any) -> Any:
    """Return the minima of pieces by torch's own operations: pieces of like length together, longest first, a bounded
    number of values at a time. A shorter piece repeats its last shingle, which changes no minimum."""
    torch = devices.torch_module()
    permutations, place = len(multipliers), hashes.device
    starts, sizes = bounds[:-1], bounds[1:] - bounds[:-1]
    found = torch.full((len(starts), permutations), _GREATEST, dtype=torch.int64, device=place)
    sizes, order = sizes.sort(descending=True, stable=True)
    lengths = sizes.tolist()
    first = 0
    while first < len(lengths) and lengths[first]:
        longest = lengths[first]
        end = first + max(1, _VALUES[place.type] // (longest * permutations))
        rows = order[first:end][sizes[first:end] > 0]
        steps = torch.minimum(torch.arange(longest, device=place), sizes[first : first + len(rows), None] - 1)
        shingles = hashes[starts[rows, None] + steps]
        found[rows] = (shingles[:, :, None] * multipliers + increments).amin(1)
        first += len(rows)
    return found


@lru_cache(maxsize=1)
def fused() -> Kernel | None:
    """Return the fused kernel, None where there is no Triton, or where it does not give what `plain` gives here."""
    try:
        from tamis.scoring.minima_triton import run
    except ImportError:
        return None
    return run if agrees(run, "cuda") else None


def agrees(kernel: Kernel, device: str) -> bool:
    """Return whether a kernel gives the values of `plain` on a device; says so in the log where it does not."""
    random = np.random.default_rng(1)
    offsets = np.array([0, 300, 300, 301, 700, 4900])
    numbers = (random.integers(0, 1 << 64, size, dtype=np.uint64).view(np.int64) for size in (4900, 37, 37))
    given = [devices.upload(each, device) for each in (offsets, *numbers)]
    try:
        alike = bool((kernel(*given) == plain(*given)).all())
    except Exception as error:  # Triton raises what its compiler and its compiler's C compiler raise
        log.warning("The fused MinHash kernel does not run here (%s): torch's own operations do its work.", error)
        return False
    if not alike:
        log.warning("The fused MinHash kernel gives other values here: torch's own operations do its work.")
    return alike
