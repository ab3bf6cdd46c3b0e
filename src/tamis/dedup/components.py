"""Connected components of the candidate graph: what can be resolved apart, because no bucket reaches across.

Components only say what has to be looked at together; nothing is removed because of one. Memory: 12 bytes for each
document that shares a bucket with another, whatever the size of its texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import Docs
from tamis.text.kernel import kernel

Parents = npt.NDArray[np.uint32]
Buckets = Callable[[], Iterable[pa.RecordBatch]]

# A bucket's members with the component they belong to; the component's number is its first document.
MEMBERS = pa.schema(
    [
        pa.field("component", pa.uint64(), nullable=False),
        pa.field("bucket", pa.uint64(), nullable=False),
        pa.field("doc", pa.uint64(), nullable=False),
        pa.field("band", pa.int16(), nullable=False),
    ]
)


@kernel
def _root(parents: Parents, node: Any) -> Any:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@kernel
def _unite(parents: Parents, nodes: npt.NDArray[np.int64], buckets: Docs) -> None:
    """Join neighbours of one bucket; the smaller node is always the root, so the result knows no order."""
    for i in range(1, len(nodes)):
        if buckets[i] == buckets[i - 1]:
            one, two = _root(parents, nodes[i - 1]), _root(parents, nodes[i])
            if one < two:
                parents[two] = one
            else:
                parents[one] = two


@kernel
def _flatten(parents: Parents) -> None:
    for node in range(len(parents)):
        parents[node] = parents[parents[node]]


class Components:
    """Documents that share buckets, and the component of each. Made by `find_components`."""

    __slots__ = ("_roots", "docs")

    def __init__(self, docs: Docs, roots: npt.NDArray[np.uint32]) -> None:
        self.docs = docs
        self._roots = roots

    def of(self, docs: Docs) -> Docs:
        """Return each document's component, named by its first document."""
        return self.docs[self._roots[np.searchsorted(self.docs, docs)]]

    def sizes(self) -> npt.NDArray[np.int64]:
        """Return the sizes of all components of two documents and more, in the order of their first documents."""
        sizes = np.bincount(self._roots, minlength=len(self.docs))
        return sizes[sizes > 1]

    def split(self, buckets: Buckets, partitions: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield (partition, members) so that each component lies in one partition; a partition comes many times."""
        for batch in buckets():
            rows, nodes = _present(batch, self.docs)
            if not rows.num_rows:
                continue
            component = self.docs[self._roots[nodes]]
            partition = _partition(component, partitions)
            order = np.argsort(partition, kind="stable")
            members = pa.record_batch([component, *rows.columns], schema=MEMBERS).take(pa.array(order))
            ends = np.cumsum(np.bincount(partition, minlength=partitions)).tolist()
            for index, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
                if end > begin:
                    yield index, members.slice(begin, end - begin)


def find_components(buckets: Buckets, *, exclude: Docs | None = None) -> Components:
    """Return the components of the graph whose edges are shared buckets.

    `buckets` opens a fresh pass over all bands' batches (`bands.BUCKETS`), in any order; two passes are made. `exclude`
    (sorted) are documents to leave out: those already removed as exact duplicates.
    """
    docs = _all_docs(buckets())
    if exclude is not None and len(exclude):
        docs = docs[~_among(docs, exclude)]
    if len(docs) > np.iinfo(np.uint32).max:
        raise ValueError(f"{len(docs)} documents share buckets; one pass of components holds 2^32 at most")
    parents = np.arange(len(docs), dtype=np.uint32)
    for batch in buckets():
        rows, nodes = _present(batch, docs)
        _unite(parents, nodes, rows.column("bucket").to_numpy())
    _flatten(parents)
    return Components(docs, parents)


def _all_docs(batches: Iterable[pa.RecordBatch]) -> Docs:
    """Return all documents, sorted, unique; what is pending never outgrows what is already known."""
    known, pending, waiting = np.empty(0, np.uint64), [], 0
    for batch in batches:
        pending.append(batch.column("doc").to_numpy())
        waiting += len(pending[-1])
        if waiting > max(len(known), 1 << 20):
            known, pending, waiting = np.unique(np.concatenate([known, *pending])), [], 0
    return np.unique(np.concatenate([known, *pending]))


def _among(docs: Docs, of: Docs) -> npt.NDArray[np.bool_]:
    at = np.minimum(np.searchsorted(of, docs), len(of) - 1)
    found: npt.NDArray[np.bool_] = of[at] == docs
    return found


def _present(batch: pa.RecordBatch, docs: Docs) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    """Return the rows whose document is among `docs` (sorted), and where it is."""
    if not len(docs):
        return batch.slice(0, 0), np.empty(0, np.int64)
    wanted = batch.column("doc").to_numpy()
    at = np.minimum(np.searchsorted(docs, wanted), len(docs) - 1)
    here = docs[at] == wanted
    return (batch, at) if here.all() else (batch.filter(pa.array(here)), at[here])


def _partition(components: Docs, partitions: int) -> npt.NDArray[np.int64]:
    # Multiplicative hashing: neighbours in one unit go to different partitions.
    spread = components * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)
    return (spread % np.uint64(partitions)).astype(np.int64)
