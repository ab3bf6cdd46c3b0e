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

# A process with Arrow, NumPy and the kernels loaded, before any data; and what allocators keep after some.
_BASE_BYTES, _KEPT_BYTES = 250 << 20, 15 << 20
# Of each document, in the filter that finds recurring keys; of each one that recurs, sorting the widest records.
_FILTER_BYTES, _SORTED_BYTES = 4, 40
# A document in components, and what regrouping holds of a group's shingle sets, of which a piece is held at once.
_GROUP_COPIES = 5
# Of a document in a bucket: what it takes in the files of pair (18 bytes) and, if it is to be resolved, of cluster (26)
# once compressed, and in memory meanwhile.
_ROW_BYTES, _MEMBER_BYTES, _HELD_BYTES = 9, 16, 72
# Of a document that shares buckets: where it is resolved, and the verdict on it.
_TOLD_BYTES = 25
# Of those that share buckets and are no exact copies, the share that goes.
_NEAR_COPIES = 0.43
# Seconds of one core: per document and band, per document and bucket it is in, per shingle verified; each measured on
# the machine on which _PROBE_SECONDS is what `probe` returns.
_PAIR, _CLUSTER, _VERIFY = 1.35e-7, 1.5e-7, 2.0e-7
_PROBE_SECONDS = 0.0125
# Signing, in bytes of text a second.
_SIGN_RATE = 180e6
# Documents in memory for a verdict: removed ones with their ids.
_VERDICT_BYTES = 130


def held(memory: int) -> int:
    """Return what may be sorted and compared at once, in bytes, for a process of `memory` bytes in all."""
    return max(memory - _BASE_BYTES, memory // 2)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much documents meet.

    shared: the share of documents that share a bucket with another; about 1.7 times the share that will be removed.
    met: the share of all bands in which those do. left: the share of them that still share one when exact copies are
    gone. met_left: in how many bands these do, as a share of all bands of all that shared one.
    """

    shared: float = 0.35
    met: float = 0.6
    left: float = 0.7
    met_left: float = 0.42


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be deduplicated.

    documents: how many. words: shingles of a document on average. overlap: how much they meet. partitions, groups: how
    many components are resolved and units regrouped in.
    """

    documents: int
    words: float
    overlap: Overlap = Overlap()
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
    bands, met = len(band_names(options)), load.overlap
    near = load.documents * met.shared
    left = near * met.left
    rows = near * bands * met.met
    signatures = load.documents * (24.5 + 8 * bands + (4 * load.words if options.stored else 0))
    room = held(memory)
    sorting = load.documents * met.shared * _SORTED_BYTES
    spilled = 32 * near if sorting > 0.75 * room else 0
    sets = 4 * load.words * left
    members = near * bands * met.met_left
    removed = near - left + left * _NEAR_COPIES
    peak = (
        _BASE_BYTES
        + _KEPT_BYTES
        + max(
            min(_FILTER_BYTES * load.documents, room / 4) + min(sorting, 0.75 * room),
            NODE_BYTES * left + load.documents / 5,
            _GROUP_COPIES * min(sets / max(load.groups, 1), PIECE_BYTES),
            members / load.partitions * _HELD_BYTES + min(sets / load.partitions, 0.75 * room),
            removed * _VERDICT_BYTES,
        )
    )
    # Sorting grows by the logarithm; the figure holds for a million documents.
    growth = np.log2(max(load.documents, 2)) / np.log2(1e6)
    seconds = load.documents * (bands + 1) * _PAIR * growth + rows * _CLUSTER + left * load.words * _VERIFY
    # The rows of pair and cluster stay until the end, when the sets of regroup are there too.
    disk = signatures + max(spilled, rows * _ROW_BYTES + members * _MEMBER_BYTES + sets + near * _TOLD_BYTES)
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
