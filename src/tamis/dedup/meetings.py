"""Meetings: which buckets each document of a partition was in, by document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import Docs
from tamis.dedup.marks import Marks, Words, place
from tamis.text.kernel import kernel

Numbers = npt.NDArray[np.int64]
Buckets = npt.NDArray[np.int32]
Bands = npt.NDArray[np.int16]


@kernel
def _ranges(starts: Numbers, nodes: Numbers, out: Numbers) -> None:
    """Write the places starts[node]:starts[node + 1] of each node, one after another."""
    to = 0
    for node in nodes:
        for at in range(starts[node], starts[node + 1]):
            out[to] = at
            to += 1


@kernel
def _renumber(buckets: Buckets, known: Buckets) -> int:
    """Number buckets from 0 as they come, in place; `known` holds -1 for each. Return how many there are."""
    count = 0
    for at in range(len(buckets)):
        bucket = buckets[at]
        if known[bucket] < 0:
            known[bucket] = count
            count += 1
        buckets[at] = known[bucket]
    return count


@kernel
def _tally(docs: Docs, starts: Any, words: Words, before: npt.NDArray[np.uint32], counts: Numbers) -> None:
    for doc in docs:
        counts[place(doc, starts, words, before) + 1] += 1


@kernel
def _take_in(  # all columns of a batch in one walk, so that places are looked up once
    docs: Docs,
    shared: Docs,
    of_band: Bands,
    of_component: Docs,
    starts: Any,
    words: Words,
    before: npt.NDArray[np.uint32],
    fill: Numbers,
    number: int,
    buckets: Buckets,
    bands: Bands,
    components: Docs,
) -> int:
    """File a batch's rows by document, those of one bucket under one number; return the next number."""
    for i in range(len(docs)):
        if i and shared[i] != shared[i - 1]:
            number += 1
        node = place(docs[i], starts, words, before)
        to = fill[node]
        fill[node] = to + 1
        buckets[to], bands[to], components[node] = number, of_band[i], of_component[i]
    return number + (len(docs) > 0)


@kernel
def _settle(starts: Numbers, buckets: Buckets, bands: Bands) -> None:
    """Put each document's buckets in order of their bands, in which they mostly come."""
    for node in range(len(starts) - 1):
        for i in range(starts[node] + 1, starts[node + 1]):
            band, bucket, at = bands[i], buckets[i], i
            while at > starts[node] and bands[at - 1] > band:
                bands[at], buckets[at] = bands[at - 1], buckets[at - 1]
                at -= 1
            bands[at], buckets[at] = band, bucket


@dataclass(frozen=True, slots=True)
class Meetings:
    """Documents (sorted), the component of each, and what they met in: buckets[starts[i]:starts[i + 1]] of document i,
    by band; buckets are numbered from 0 to below `count`."""

    docs: Docs
    components: Docs
    starts: Numbers
    buckets: Buckets
    bands: Bands
    count: int

    def of(self, nodes: Numbers) -> tuple[Docs, Numbers, Buckets, int, Bands]:
        """Return (docs, starts, buckets numbered from 0, how many, bands) of these documents (ascending) alone."""
        if len(nodes) == len(self.docs):
            return self.docs, self.starts, self.buckets, self.count, self.bands
        starts = np.concatenate([[0], np.cumsum(self.starts[nodes + 1] - self.starts[nodes])])
        places = np.empty(int(starts[-1]), np.int64)
        _ranges(self.starts, nodes, places)
        buckets = self.buckets[places]
        count = _renumber(buckets, np.full(self.count, -1, np.int32))
        return self.docs[nodes], starts, buckets, count, self.bands[places]


def gather(members: Iterable[pa.RecordBatch]) -> Meetings:
    """Return the meetings of a partition from batches of `components.MEMBERS`, in any order.

    The rows of a bucket come one after another in one batch, as `components.split` gives them.
    """
    batches = list(members)
    marks = Marks()
    for batch in batches:
        marks.add(_column(batch, "doc"))
    marks.close()
    docs, numbers = marks.docs(), (marks.starts, marks.words, marks.before)
    starts = np.zeros(len(docs) + 1, np.int64)
    for batch in batches:
        _tally(_column(batch, "doc"), *numbers, starts)
    np.cumsum(starts, out=starts)
    rows, fill = int(starts[-1]), starts[:-1].copy()
    buckets, bands, components = np.empty(rows, np.int32), np.empty(rows, np.int16), np.empty(len(docs), np.uint64)
    count = 0
    for place_of, batch in enumerate(batches):
        doc, bucket, band, component = (_column(batch, name) for name in ("doc", "bucket", "band", "component"))
        count = _take_in(doc, bucket, band, component, *numbers, fill, count, buckets, bands, components)
        batches[place_of] = batch.slice(0, 0)
    _settle(starts, buckets, bands)
    return Meetings(docs, components, starts, buckets, bands, count)


def _column(batch: pa.RecordBatch, name: str) -> Any:
    return batch.column(name).to_numpy()
