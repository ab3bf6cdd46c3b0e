"""Meetings: which buckets each document of a partition was in, by document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import Docs
from tamis.dedup.spill import settled_order
from tamis.text.kernel import kernel

Numbers = npt.NDArray[np.int64]
Bands = npt.NDArray[np.int16]


@kernel
def _ranges(starts: Numbers, nodes: Numbers, out: Numbers) -> None:
    """Write the places starts[node]:starts[node + 1] of each node, one after another."""
    to = 0
    for node in nodes:
        for at in range(starts[node], starts[node + 1]):
            out[to] = at
            to += 1


@dataclass(frozen=True, slots=True)
class Meetings:
    """Documents (sorted), the component of each, and what they met in: buckets[starts[i]:starts[i + 1]] of document i,
    by band."""

    docs: Docs
    components: Docs
    starts: Numbers
    buckets: Docs
    bands: Bands

    def of(self, nodes: Numbers) -> tuple[Docs, Numbers, Numbers, int, Bands]:
        """Return (docs, starts, buckets numbered from 0, how many, bands) of these documents (ascending) alone."""
        starts = np.concatenate([[0], np.cumsum(self.starts[nodes + 1] - self.starts[nodes])])
        places = np.empty(int(starts[-1]), np.int64)
        _ranges(self.starts, nodes, places)
        buckets = self.buckets[places]
        order = np.argsort(buckets)
        ordered = buckets[order]
        fresh = np.concatenate([[False], ordered[1:] != ordered[:-1]])
        numbers = np.empty(len(buckets), np.int64)
        numbers[order] = np.cumsum(fresh)
        return self.docs[nodes], starts, numbers, int(fresh.sum()) + 1, self.bands[places]


def gather(members: Iterable[pa.RecordBatch]) -> Meetings:
    """Return the meetings of a partition from batches of `components.MEMBERS`, whatever their order."""
    batches = list(members)
    doc, bucket, component = (_column(batches, name) for name in ("doc", "bucket", "component"))
    band: Bands = np.concatenate([np.empty(0, np.int16), *(batch.column("band").to_numpy() for batch in batches)])
    del batches
    # A document is in a band once at most: by document, then band, is an order without ties.
    order = settled_order(doc, band.astype(np.uint64))
    doc = doc[order]
    first = np.flatnonzero(np.concatenate([[True], doc[1:] != doc[:-1]])) if len(doc) else np.empty(0, np.int64)
    return Meetings(doc[first], component[order[first]], np.append(first, len(doc)), bucket[order], band[order])


def _column(batches: list[pa.RecordBatch], name: str) -> Docs:
    return np.concatenate([np.empty(0, np.uint64), *(batch.column(name).to_numpy() for batch in batches)])
