"""Verified removal: within each component, documents in order of preference, each against the survivors it met.

A document goes when its true similarity (Jaccard, or containment) with a document that stays, met in a bucket, reaches
the threshold; it names the most similar such survivor. So a chain A~B~C with unlike ends keeps A and C, nothing is
removed in favour of a document that is itself removed, and what later documents bring never changes an earlier verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import Docs
from tamis.dedup.meetings import Buckets, Meetings, gather
from tamis.dedup.options import DedupOptions
from tamis.dedup.sets import Numbers, Set, SetStore
from tamis.text.kernel import kernel

Fetch = Callable[[Docs], pa.Array | pa.RecordBatch]

# Documents asked of `fetch` at once.
_FETCH_ROWS = 1024

NEAR = pa.schema(
    [
        pa.field("doc", pa.uint64(), nullable=False),
        pa.field("kept_doc", pa.uint64(), nullable=False),
        pa.field("similarity", pa.float32(), nullable=False),
        pa.field("band", pa.int16(), nullable=False),  # the first in which the two met
    ]
)


@kernel
def similarity(values: Set, i: int, one_end: int, j: int, two_end: int, contained: bool) -> float:
    """Return the Jaccard similarity of two sorted sets, values[i:one_end] and values[j:two_end]; 0 of empty ones.

    If `contained`, the share of the first that is in the second instead.
    """
    size, total, shared = one_end - i, one_end - i + two_end - j, 0
    while i < one_end and j < two_end:
        one, two = values[i], values[j]
        shared += one == two
        i += one <= two
        j += two <= one
    if contained:
        return shared / size if size else 0.0
    return shared / (total - shared) if total else 0.0


@kernel
def _resolve(
    order: Numbers,
    starts: Numbers,
    ends: Numbers,
    values: Set,
    doc_starts: Numbers,
    slots: Buckets,
    bucket_count: int,
    threshold: float,
    floor: int,
    max_leaders: int,
    contained: bool,
    max_cluster: int,
    strict: float,
    kept: Numbers,
    score: npt.NDArray[np.float64],
    met: Numbers,
) -> None:
    """Decide one chunk of components. `order` lists documents by component and preference; `slots` are the buckets of
    document d, at doc_starts[d]:doc_starts[d + 1]. Survivors of a bucket form a linked list in order of preference. One
    that has `max_cluster` documents in its cluster takes in what is like it by `strict` only."""
    head = np.full(bucket_count, -1, np.int64)
    tail = np.full(bucket_count, -1, np.int64)
    length = np.zeros(bucket_count, np.int64)
    following = np.full(len(slots), -1, np.int64)
    owner = np.zeros(len(slots), np.int64)
    stamp = np.full(len(order), -1, np.int64)
    members = np.ones(len(order), np.int64)
    for doc in order:
        size = ends[doc] - starts[doc]
        if size < floor:
            continue
        best, best_score, best_slot = -1, threshold, -1
        for slot in range(doc_starts[doc], doc_starts[doc + 1]):
            link = head[slots[slot]]
            while link >= 0:
                leader = owner[link]
                link = following[link]
                if stamp[leader] == doc:
                    continue
                stamp[leader] = doc
                other = ends[leader] - starts[leader]
                if other < threshold * size or (not contained and size < threshold * other):
                    continue
                found = similarity(values, starts[doc], ends[doc], starts[leader], ends[leader], contained)
                if members[leader] >= max_cluster and found < strict:
                    continue
                if found > best_score or (found == best_score and best < 0):
                    best, best_score, best_slot = leader, found, slot
        if best >= 0:
            kept[doc], score[doc], met[doc] = best, best_score, best_slot
            members[best] += 1
            continue
        for slot in range(doc_starts[doc], doc_starts[doc + 1]):
            bucket = slots[slot]
            if length[bucket] >= max_leaders:
                continue
            owner[slot] = doc
            if head[bucket] < 0:
                head[bucket] = slot
            else:
                following[tail[bucket]] = slot
            tail[bucket] = slot
            length[bucket] += 1


def resolve(
    members: Iterable[pa.RecordBatch], fetch: Fetch, options: DedupOptions, *, memory: int, scratch: Path
) -> pa.Table:
    """Return the near duplicates among a partition's members: table `NEAR`, one row per removed document, by `doc`.

    `members` are batches of `components.MEMBERS` with every component whole. `fetch` is called with ascending document
    numbers, each document once, and returns their texts in that order: a string array, or a batch with `text`, or `set`
    as `sign` stores it, and, for a survivor other than "first", `priority` (float64; higher stays, null is lowest;
    texts alone do for "longest"). Shingle sets beyond about `memory` bytes wait in `scratch`.
    """
    meetings = gather(members)
    if not len(meetings.docs):
        return NEAR.empty_table()
    with SetStore(memory // 2, scratch) as store:
        ranks = _take_in(meetings.docs, fetch, options, store)
        found = [_chunk(nodes, meetings, ranks, store, options) for nodes in _chunks(meetings, store, memory // 4)]
    drops = pa.concat_tables(found).sort_by("doc").combine_chunks()
    return drops.cast(NEAR)


def _take_in(docs: Docs, fetch: Fetch, options: DedupOptions, store: SetStore) -> npt.NDArray[np.float64]:
    """Fill the store with every document's shingle set; return the ranks: lower stays."""
    ranks = np.zeros(len(docs))
    for begin in range(0, len(docs), _FETCH_ROWS):
        wanted = docs[begin : begin + _FETCH_ROWS]
        got = fetch(wanted)
        columns = got if isinstance(got, pa.RecordBatch) else pa.record_batch([got], ["text"])
        if "set" in columns.schema.names:
            store.add_stored(columns.column("set"))
            lengths = np.zeros(len(wanted))
        else:
            lengths = store.add(columns.column("text"), options)
        here = ranks[begin : begin + len(wanted)]
        if options.survivor != "first" and "priority" in columns.schema.names:
            here[:] = -columns.column("priority").cast(pa.float64()).fill_null(-np.inf).to_numpy(zero_copy_only=False)
        elif options.survivor == "longest":
            here[:] = -lengths
        elif options.survivor != "first":
            raise ValueError(f"survivor {options.survivor!r} needs fetch to return a batch with a column priority")
    return ranks


def _chunks(meetings: Meetings, store: SetStore, memory: int) -> Iterator[Numbers]:
    """Yield the documents, ascending, of whole components whose sets take about `memory` bytes together."""
    if store.bytes <= memory:
        yield np.arange(len(meetings.docs))
        return
    order = np.argsort(meetings.components, kind="stable")
    component = meetings.components[order]
    weight = np.cumsum(store.bytes_of(order))
    borders = np.append(np.flatnonzero(np.concatenate([[True], component[1:] != component[:-1]])), len(order))
    begin = 0
    while begin < len(borders) - 1:
        limit = (weight[borders[begin] - 1] if borders[begin] else 0) + memory
        end = max(int(np.searchsorted(weight[borders[1:] - 1], limit, side="right")), begin + 1)
        yield np.sort(order[borders[begin] : borders[end]])
        begin = end


def _chunk(
    nodes: Numbers, meetings: Meetings, ranks: npt.NDArray[np.float64], store: SetStore, options: DedupOptions
) -> pa.Table:
    docs, doc_starts, slots, bucket_count, bands = meetings.of(nodes)
    values, starts, ends = store.gather(nodes)
    order = np.argsort(ranks[nodes], kind="stable")
    kept = np.full(len(nodes), -1, np.int64)
    score, met = np.zeros(len(nodes)), np.zeros(len(nodes), np.int64)
    _resolve(
        order, starts, ends, values, doc_starts, slots, bucket_count,
        options.threshold, options.floor, options.max_leaders, options.measure == "containment",
        options.max_cluster or len(nodes) + 1, (1 + options.threshold) / 2, kept, score, met,
    )  # fmt: skip
    gone = np.flatnonzero(kept >= 0)
    return pa.table([docs[gone], docs[kept[gone]], score[gone].astype(np.float32), bands[met[gone]]], schema=NEAR)
