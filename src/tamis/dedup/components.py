"""Connected components of the candidate graph: what can be resolved apart, because no bucket reaches across.

Components only say what has to be looked at together; nothing is removed because of one. Memory: 12 bytes for each
document that shares a bucket with another and a fifth of a byte for each other one, whatever the size of its texts;
where that is too much, `external` finds the same by rounds over sorted files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
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

# In place of a component: the row is in none that is to be resolved.
APART = np.uint64(0xFFFFFFFFFFFFFFFF)

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
def _partition(component: Any, partitions: Any) -> Any:
    # Multiplicative hashing: neighbours in one unit go to different partitions.
    return np.int64((component * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(33)) % partitions)


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
            docs = batch.column("doc").to_numpy()
            component = np.empty(len(docs), np.uint64)
            marks = self._marks
            _label(docs, marks.starts, marks.words, marks.before, self._roots, self.docs, asked, component)
            yield from parted(batch, component, partitions)

    def _asked(self, wanted: Wanted | None) -> npt.NDArray[np.bool_]:
        """Return which nodes are roots of components to be resolved."""
        asked: npt.NDArray[np.bool_] = np.bincount(self._roots, minlength=len(self.docs)) > 1
        if wanted is not None:
            also = np.zeros(len(self.docs), np.bool_)
            also[self._roots[wanted(self.docs)]] = True
            asked &= also
        return asked


@kernel
def _label(
    docs: Docs,
    starts: Any,
    words: Words,
    before: npt.NDArray[np.uint32],
    roots: npt.NDArray[np.uint32],
    names: Docs,
    asked: npt.NDArray[np.bool_],
    component: Docs,
) -> None:
    """Write each document's component, or APART where none is asked for."""
    for i in range(len(docs)):
        node = place(docs[i], starts, words, before)
        component[i] = names[roots[node]] if node >= 0 and asked[roots[node]] else APART


@kernel
def _tally(component: Docs, partitions: np.uint64, ends: npt.NDArray[np.int64]) -> None:
    """Set ends[partition] to where each partition's rows begin once they are in order."""
    for each in component:
        if each != APART:
            ends[_partition(each, partitions) + 1] += 1
    for at in range(1, len(ends)):
        ends[at] += ends[at - 1]


@kernel
def _scatter(
    component: Docs, bucket: Docs, doc: Docs, partitions: np.uint64, ends: npt.NDArray[np.int64], out: Docs
) -> None:
    """Copy rows by partition, in the order they came; ends[partition] becomes where its rows end."""
    for i in range(len(component)):
        if component[i] != APART:
            at = _partition(component[i], partitions)
            to = ends[at]
            ends[at] = to + 1
            out[0, to], out[1, to], out[2, to] = component[i], bucket[i], doc[i]


def parted(batch: pa.RecordBatch, component: Docs, partitions: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield (partition, members) of a batch of one band's buckets, given the component of each row; APART: left out."""
    ends = np.zeros(partitions + 1, np.int64)
    _tally(component, np.uint64(partitions), ends)
    if not ends[-1]:
        return
    out = np.empty((3, int(ends[-1])), np.uint64)
    bucket, doc = (batch.column(name).to_numpy() for name in ("bucket", "doc"))
    _scatter(component, bucket, doc, np.uint64(partitions), ends, out)
    bands = np.full(out.shape[1], batch.column("band")[0].as_py(), np.int16)
    members = pa.record_batch([*out, bands], schema=MEMBERS)
    borders = ends[:-1].tolist()
    for index, (begin, end) in enumerate(pairwise([0, *borders])):
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
    found = np.empty(len(components), np.int64)
    _partitions(components, np.uint64(partitions), found)
    return found


@kernel
def _partitions(components: Docs, partitions: np.uint64, found: npt.NDArray[np.int64]) -> None:
    for i in range(len(components)):
        found[i] = _partition(components[i], partitions)
