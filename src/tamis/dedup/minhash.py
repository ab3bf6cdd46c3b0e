"""MinHash signatures over the Arrow buffer, 64-bit (Broder 1997; bands after Leskovec et al., *Mining of Massive
Datasets*, ch. 3).

Permutation i is the multiply-shift map x -> a_i x + b_i mod 2^64 with a_i odd (Dietzfelbinger et al. 1997), applied to
shingle hashes that are already uniform: two instructions where the Mersenne-prime family 2^61 - 1 of datasketch and
datatrove needs a dozen, and all 64 bits are kept. The tests hold its S-curve to the theory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import pyarrow as pa

from tamis.columns import cut
from tamis.dedup.exact import exact_keys
from tamis.dedup.options import DedupOptions, band_names
from tamis.dedup.sets import distinct
from tamis.dedup.shingle import Hashes, Offsets, composed, mix, shingle_hashes
from tamis.dedup.unchecked import unchecked
from tamis.text.kernel import kernel

# Text per kernel call: its shingle hashes stay in the second-level cache's reach.
_PIECE_BYTES = 1 << 20

# Where the options that signatures depend on are written, in the metadata of the field `exact`.
SIGNATURE = b"tamis.signature"


@lru_cache(maxsize=8)
def permutations(count: int, seed: int) -> tuple[Hashes, Hashes]:
    """Return multipliers (odd) and increments of `count` permutations, each shape (count,), uint64.

    They come from a counter through murmur3's mixer, so that no library's generator can change them.
    """
    counter = np.arange(1, 2 * count + 1, dtype=np.uint64) + np.uint64(seed << 20)
    drawn = _mix_all(_mix_all(counter) + np.uint64(0x9E3779B97F4A7C15))
    return drawn[:count] | np.uint64(1), drawn[count:]


@kernel
def _mix_all(values: Hashes) -> Hashes:
    mixed = np.empty_like(values)
    for i in range(len(values)):
        mixed[i] = mix(values[i])
    return mixed


# Each text's hashes as a slice walked from 0, without bounds checks: only then does the inner loop
# become vector instructions (740 MB of text a second instead of 110 on one AVX-512 core, the same values).
# Every index is within shapes that `minhashes` has made itself.
@unchecked
def _minima(offsets: Offsets, hashes: Hashes, multipliers: Hashes, increments: Hashes, out: Hashes) -> None:
    for row in range(len(offsets) - 1):
        shingles = hashes[offsets[row] : offsets[row + 1]]
        for i in range(len(multipliers)):
            a, b, least = multipliers[i], increments[i], np.uint64(0xFFFFFFFFFFFFFFFF)
            for j in range(shingles.size):
                value = a * shingles[j] + b
                least = value if value < least else least
            out[row, i] = least


@kernel
def _keys(minima: Hashes, bands: int, rows_per_band: int, out: Hashes) -> None:
    """Row i of band b in set k is row i of plain band b + i·k: bands of different sets share one value at most."""
    for row in range(len(minima)):
        for band in range(len(out)):
            key, shift = np.uint64(band + 1), band // bands
            for i in range(rows_per_band):
                key = mix(key ^ minima[row, (band + i * shift) % bands * rows_per_band + i])
            out[band, row] = key


def minhashes(offsets: Offsets, hashes: Hashes, count: int, seed: int) -> Hashes:
    """Return the MinHash values of shingle sets given by `offsets` into `hashes`, shape (n, count), uint64.

    An empty set has the greatest value everywhere; callers must not let it match (see `band_keys`).
    """
    out = np.empty((len(offsets) - 1, count), np.uint64)
    _minima(offsets, hashes, *permutations(count, seed), out)
    return out


def band_keys(minima: Hashes, options: DedupOptions) -> Hashes:
    """Return one key per band and document, shape (bands · band_sets, n): equal where all rows of the band agree."""
    if minima.shape[1] != options.hashes:
        raise ValueError(f"{minima.shape[1]} MinHash values, but {options.bands} x {options.rows_per_band} are needed")
    out = np.empty((options.bands * options.band_sets, len(minima)), np.uint64)
    _keys(minima, options.bands, options.rows_per_band, out)
    return out


# What makes MinHash values: (offsets, hashes, count, seed) as `minhashes` has them.
Values = Callable[[Offsets, Hashes, int, int], Hashes]
# What does the same to each piece and gives the answers in order: `map`, or that of a pool of threads.
Map = Callable[[Callable[[pa.RecordBatch], pa.RecordBatch], Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]


def sign(
    texts: pa.LargeStringArray,
    options: DedupOptions,
    *,
    minhashes: Values = minhashes,
    each: Map = map,
) -> pa.RecordBatch:
    """Return the signatures of texts, one row each. `minhashes` may be another maker of those values.

    Columns: `exact` fixed_size_binary(16), null for a text without content; `shingles` int32, repeats counted;
    `band_00` … uint64, null below `options.floor` shingles: an empty signature never matches anything; with
    `options.keep_sets`, `set` list<uint32>, the distinct shingles as verification compares them.
    """
    schema = signature_schema(options)
    batch = pa.record_batch([texts], ["text"])

    def signed(piece: pa.RecordBatch) -> pa.RecordBatch:
        return _sign(piece.column(0), options, schema, minhashes)

    pieces = list(each(signed, cut(batch, max_bytes=_PIECE_BYTES, max_rows=1 << 16)))
    return pa.Table.from_batches(pieces, schema).combine_chunks().to_batches()[0] if pieces else _empty(schema)


def signature_schema(options: DedupOptions) -> pa.Schema:
    """Return the schema of `sign`'s batches."""
    bands = [pa.field(name, pa.uint64()) for name in band_names(options)]
    # On a field, not on the schema, so that it survives where columns are added.
    exact = pa.field("exact", pa.binary(16), metadata={SIGNATURE: options.signature})
    sets = [pa.field("set", pa.large_list(pa.uint32()))] if options.stored else []
    return pa.schema([exact, pa.field("shingles", pa.int32(), nullable=False), *bands, *sets])


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema)


def _sign(texts: pa.LargeStringArray, options: DedupOptions, schema: pa.Schema, minhashes: Values) -> pa.RecordBatch:
    texts = composed(texts)
    offsets, hashes = shingle_hashes(texts, options)
    counts = np.diff(offsets)
    keys = band_keys(minhashes(offsets, hashes, options.hashes, options.seed), options)
    absent = counts < options.floor
    bands = [pa.array(band, mask=absent) for band in keys]
    shingles = pa.array(np.minimum(counts, np.iinfo(np.int32).max).astype(np.int32))
    columns = [exact_keys(texts), shingles, *bands]
    if options.stored:
        values, sizes = distinct(offsets, hashes)
        ends = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))
        columns.append(pa.LargeListArray.from_arrays(ends, pa.array(values)))
    return pa.RecordBatch.from_arrays(columns, schema=schema)
