"""To and from datasketch: the same MinHash values in its objects, or bands over values it has made."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text
from tamis.dedup.minhash import band_keys, minhashes
from tamis.dedup.options import DedupOptions
from tamis.dedup.shingle import composed, shingle_hashes
from tamis.errors import MissingExtraError


def signatures(texts: pa.Array, options: DedupOptions) -> npt.NDArray[np.uint64]:
    """Return the MinHash values of texts, shape (n, bands · rows_per_band), uint64; an empty text has the greatest."""
    offsets, hashes = shingle_hashes(composed(as_text(texts)), options)
    return minhashes(offsets, hashes, options.hashes, options.seed)


def to_datasketch(texts: pa.Array, options: DedupOptions) -> list[Any]:
    """Return one `datasketch.LeanMinHash` per text, which its `MinHashLSH` takes and whose `jaccard` is meaningful.

    They compare with each other, never with those datasketch has hashed itself: the permutations differ.
    """
    try:
        from datasketch import LeanMinHash
    except ImportError as error:
        raise MissingExtraError("datasketch is not installed.", "pip install 'tamis[compat]'") from error
    # datasketch 2 guards against mixing hash schemes and wants one named; before 2 there was no such argument.
    scheme = {"scheme": "legacy"} if "scheme" in inspect.signature(LeanMinHash).parameters else {}
    return [LeanMinHash(seed=options.seed, hashvalues=row, **scheme) for row in signatures(texts, options)]


def from_datasketch(minhashes: list[Any], options: DedupOptions) -> pa.RecordBatch:
    """Return `band_00` … (uint64) of datasketch `MinHash` or `LeanMinHash` objects; null for empty ones.

    They must have at least bands · rows_per_band values, of which the first are used, and one seed.
    """
    if len({one.seed for one in minhashes}) > 1:
        raise ValueError("MinHashes of different seeds cannot be compared")
    values = np.array([one.hashvalues[: options.hashes] for one in minhashes], np.uint64).reshape(len(minhashes), -1)
    empty = np.array([one.is_empty() for one in minhashes], np.bool_)
    keys = band_keys(values, options)
    return pa.record_batch({f"band_{band:02d}": pa.array(key, mask=empty) for band, key in enumerate(keys)})
