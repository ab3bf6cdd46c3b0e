"""What deduplication will need: temporary disk, peak memory of a process and processor time, before any of it is spent.

The figures per document were measured by `benchmarks/dedup_scale.py`, which prints this prediction beside what it then
measures. Time is in seconds of one core of the machine that measured them, times how much slower this one sorts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from tamis.dedup.components import NODE_BYTES
from tamis.dedup.options import DedupOptions, band_names
from tamis.dedup.regroup import PIECE_BYTES

# A process with Arrow, NumPy and the kernels loaded, before any data.
_BASE_BYTES = 250 << 20
# Of each document, in the filter that finds recurring keys; of each one that recurs, sorting the widest records.
_FILTER_BYTES, _SORTED_BYTES = 4, 40
# A document in components, and what regrouping holds of a group's shingle sets, of which a piece is held at once.
_GROUP_COPIES = 10
# Of documents that share buckets: the share of all bands in which they do, what a row takes in the files of pair (18
# bytes) and cluster (26) once compressed, and what it takes in memory while a partition is resolved.
_MET, _ROW_BYTES, _HELD_BYTES = 0.6, 20, 95
# Of those that share buckets, the share left when exact copies are gone.
_NOT_EXACT = 0.7
# Seconds of one core: per document and band, per document and bucket it is in, per shingle verified; each measured on
# the machine on which _PROBE_SECONDS is what `probe` returns.
_PAIR, _CLUSTER, _VERIFY = 1.9e-7, 2.1e-7, 2.0e-7
_PROBE_SECONDS = 0.0125
# Signing, in bytes of text a second.
_SIGN_RATE = 180e6
# Documents in memory for a verdict: removed ones with their ids.
_VERDICT_BYTES = 165


def held(memory: int) -> int:
    """Return what may be sorted and compared at once, in bytes, for a process of `memory` bytes in all."""
    return max(memory - _BASE_BYTES, memory // 2)


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be deduplicated.

    documents: how many. words: shingles of a document on average. shared: the share of documents that share a bucket
    with another; about 1.7 times the share that will be removed. partitions, groups: how many components are resolved
    and units regrouped in.
    """

    documents: int
    words: float
    shared: float = 0.35
    partitions: int = 1
    groups: int = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes of temporary disk (signatures included), bytes of the largest process, seconds of one core."""

    disk: int
    memory: int
    seconds: float


def estimate(load: Workload, options: DedupOptions, *, memory: int, slowness: float = 1.0) -> Estimate:
    """Return what pair, cluster, resolve and verdict will take; signing, which curate does, is in none of the seconds.

    `slowness` is how many times longer this machine takes than the one of the figures: see `probe`.
    """
    bands = len(band_names(options))
    near = load.documents * load.shared
    rows = near * bands * _MET
    signatures = load.documents * (20.5 + 8 * bands + (4 * load.words if options.stored else 0))
    room = held(memory)
    sorting = near * _SORTED_BYTES
    spilled = 32 * near if sorting > 0.75 * room else 0
    sets = 4 * load.words * near * _NOT_EXACT
    met = rows * _NOT_EXACT / load.partitions
    peak = _BASE_BYTES + max(
        min(_FILTER_BYTES * load.documents, room / 4) + min(sorting, 0.75 * room),
        NODE_BYTES * near * _NOT_EXACT + load.documents / 5,
        _GROUP_COPIES * min(sets / max(load.groups, 1), PIECE_BYTES),
        met * _HELD_BYTES + min(sets / load.partitions, 0.75 * room),
        0.6 * near * _VERDICT_BYTES,
    )
    # Sorting grows by the logarithm; the figure holds for a million documents.
    growth = np.log2(max(load.documents, 2)) / np.log2(1e6)
    seconds = load.documents * (bands + 1) * _PAIR * growth + rows * _CLUSTER + near * _NOT_EXACT * load.words * _VERIFY
    # The rows of pair and cluster stay until the end, when the sets of regroup are there too.
    disk = signatures + max(spilled, rows * _ROW_BYTES + 0.7 * sets)
    return Estimate(int(disk), int(peak), float(seconds * slowness))


def sign_seconds(text_bytes: int, *, slowness: float = 1.0) -> float:
    """Return the seconds of one core that signing this much text takes."""
    return text_bytes / _SIGN_RATE * slowness


def probe() -> float:
    """Return how many times longer this machine takes to sort than the one of the figures; takes 0.2 s."""
    rng = np.random.default_rng(1)
    keys = rng.integers(0, 1 << 63, 1 << 18, dtype=np.uint64)
    spent = []
    for _ in range(7):
        begin = time.thread_time()
        np.argsort(keys)
        spent.append(time.thread_time() - begin)
    return min(spent) / _PROBE_SECONDS
