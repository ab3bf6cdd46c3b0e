"""Connected components of the candidate graph: what can be resolved apart, because no bucket reaches across.

Components only say what has to be looked at together; nothing is removed because of one. Memory: 12 bytes for each
document that shares a bucket with another and a fifth of a byte for each other one, whatever the size of its texts;
where that is too much, `external` finds the same by rounds over sorted files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import Docs
from tamis.dedup.marks import Marks, Words, place
from tamis.text.kernel import kernel

Parents = npt.NDArray[np.uint32]
Buckets = Callable[[], Iterable[pa.RecordBatch]]
Parts = npt.NDArray[np.uint16]
Wanted = Callable[[Docs], npt.NDArray[np.bool_]]

# Bytes a document that shares buckets takes here: its number, its place, and which components are asked for.
NODE_BYTES = 21

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
def _unite(
    parents: Parents, docs: Docs, buckets: Docs, starts: Any, words: Words, before: npt.NDArray[np.uint32]
) -> None:
    """Join neighbours of one bucket; the smaller node is always the root, so the result knows no order."""
    last = np.int64(-1)
    for i in range(len(docs)):
        if i and buckets[i] != buckets[i - 1]:
            last = np.int64(-1)
        node = place(docs[i], starts, words, before)
        if node >= 0 and last >= 0:
            one, two = _root(parents, last), _root(parents, node)
            if one < two:
                parents[two] = one
            else:
                parents[one] = two
        last = node if node >= 0 else last


@kernel
def _flatten(parents: Parents) -> None:
    for node in range(len(parents)):
        parents[node] = parents[parents[node]]


class Components:
    """Documents that share buckets, and the component of each. Made by `find_components`."""

    __slots__ = ("_marks", "_roots", "docs")

    def __init__(self, marks: Marks, roots: npt.NDArray[np.uint32]) -> None:
        self.docs = marks.docs()
        self._marks = marks
        self._roots = roots

    def of(self, docs: Docs) -> Docs:
        """Return each document's component, named by its first document."""
        return self.docs[self._roots[self._marks.places(docs)]]

    def sizes(self) -> npt.NDArray[np.int64]:
        """Return the sizes of all components of two documents and more, in the order of their first documents."""
        sizes = np.bincount(self._roots, minlength=len(self.docs))
        return sizes[sizes > 1]

    def members(self, partitions: int, *, wanted: Wanted | None = None) -> Iterator[tuple[Docs, Parts]]:
        """Yield the documents that `split` yields, sorted, and the partition of each."""
        nodes = np.flatnonzero(self._asked(wanted)[self._roots])
        yield self.docs[nodes], partition_of(self.docs[self._roots[nodes]], partitions).astype(np.uint16)

    def split(
        self, buckets: Buckets, partitions: int, *, wanted: Wanted | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield (partition, members) so that each component lies in one partition; a partition comes many times.

        Components of one document, whose others were left out, have nothing to resolve. With `wanted`, which says of
        documents whether they are, only components that have one of them.
        """
        asked = self._asked(wanted)
        for batch in buckets():
            nodes = self._marks.places(batch.column("doc").to_numpy())
            here = nodes >= 0
            here[here] = asked[self._roots[nodes[here]]]
            rows, nodes = (batch, nodes) if here.all() else (batch.filter(pa.array(here)), nodes[here])
            yield from parted(rows, self.docs[self._roots[nodes]], partitions)

    def _asked(self, wanted: Wanted | None) -> npt.NDArray[np.bool_]:
        """Return which nodes are roots of components to be resolved."""
        asked: npt.NDArray[np.bool_] = np.bincount(self._roots, minlength=len(self.docs)) > 1
        if wanted is not None:
            also = np.zeros(len(self.docs), np.bool_)
            also[self._roots[wanted(self.docs)]] = True
            asked &= also
        return asked


def parted(rows: pa.RecordBatch, component: Docs, partitions: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (partition, members) of rows of buckets whose components are given."""
    if not rows.num_rows:
        return
    partition = partition_of(component, partitions)
    order = np.argsort(partition, kind="stable")
    members = pa.record_batch([component, *rows.columns], schema=MEMBERS).take(pa.array(order))
    ends = np.cumsum(np.bincount(partition, minlength=partitions)).tolist()
    for index, (begin, end) in enumerate(zip([0, *ends], ends, strict=False)):
        if end > begin:
            yield index, members.slice(begin, end - begin)


@overload
def find_components(buckets: Buckets, *, exclude: Docs | None = None) -> Components: ...


@overload
def find_components(buckets: Buckets, *, exclude: Docs | None = None, limit: int) -> Components | None: ...


def find_components(buckets: Buckets, *, exclude: Docs | None = None, limit: int | None = None) -> Components | None:
    """Return the components of the graph whose edges are shared buckets; None where they need more than `limit` bytes.

    `buckets` opens a fresh pass over all bands' batches (`bands.BUCKETS`), in any order; two passes are made. `exclude`
    (sorted) are documents to leave out: those already removed as exact duplicates.
    """
    marks = Marks()
    for batch in buckets():
        marks.add(batch.column("doc").to_numpy())
    if exclude is not None:
        marks.remove(exclude)
    marks.close()
    if limit is not None and NODE_BYTES * marks.count > limit:
        return None
    parents = np.arange(marks.count, dtype=np.uint32)
    for batch in buckets():
        docs, shared = batch.column("doc").to_numpy(), batch.column("bucket").to_numpy()
        _unite(parents, docs, shared, marks.starts, marks.words, marks.before)
    _flatten(parents)
    return Components(marks, parents)


def partition_of(components: Docs, partitions: int) -> npt.NDArray[np.int64]:
    """Return the partition of each component."""
    # Multiplicative hashing: neighbours in one unit go to different partitions.
    spread = components * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)
    return (spread % np.uint64(partitions)).astype(np.int64)
