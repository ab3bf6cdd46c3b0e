"""Components that do not fit in memory: the answers of `components.Components`, by rounds over sorted files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.components import APART, Buckets, Parts, Wanted, parted, partition_of
from tamis.dedup.documents import Docs
from tamis.dedup.spill import Sorter
from tamis.dedup.stars import EDGE, Edges, blocks_of, turned
from tamis.text.kernel import kernel

# Where a row of the buckets stands, and its document; then where it stands, and its component.
_ASKED = np.dtype([("doc", np.uint64), ("place", np.uint64)])
_TOLD = np.dtype([("place", np.uint64), ("root", np.uint64)])
_CHUNK = 1 << 18


class ExternalComponents:
    """Documents that share buckets, each with its component, in one sorted file; a context manager of its folder."""

    def __init__(self, stars: Iterable[Edges], *, memory: int, scratch: Path) -> None:
        """Take the stars of the buckets' edges (`stars.find_stars`), in any order; they are read once."""
        self._memory = memory
        self._folder = Path(tempfile.mkdtemp(prefix="components-", dir=scratch))
        self._path = self._with_roots(stars)

    def _with_roots(self, stars: Iterable[Edges]) -> Path:
        """Write (document, component) for every document, the least of a component among them."""
        path = self._folder / "nodes"
        with Sorter(EDGE, self._memory // 2, self._folder, singles=True) as sorter, path.open("wb") as file:
            last = APART
            for block in self._by_root(stars):
                sorter.add(block)
                roots = np.unique(block["other"])
                roots = roots[roots != last]
                last = block["other"][-1]
                own = np.empty(len(roots), EDGE)
                own["node"] = own["other"] = roots
                sorter.add(own)
            for block in sorter:
                file.write(block.tobytes())
        return path

    def _by_root(self, stars: Iterable[Edges]) -> Iterator[Edges]:
        """Yield the records by component, so that each one's documents come together."""
        with Sorter(EDGE, self._memory // 2, self._folder, singles=True) as sorter:
            for block in stars:
                sorter.add(turned(block))
            for block in sorter:
                yield turned(block)

    def members(self, partitions: int, *, wanted: Wanted | None = None) -> Iterator[tuple[Docs, Parts]]:
        """Yield the documents that `split` yields, sorted, and the partition of each."""
        asked = self._asked(wanted)
        for block in blocks_of(self._path):
            docs, roots = block["node"].copy(), block["other"].copy()
            if asked is not None:
                here = np.isin(roots, asked)
                docs, roots = docs[here], roots[here]
            yield docs, partition_of(roots, partitions).astype(np.uint16)

    def split(
        self, buckets: Buckets, partitions: int, *, wanted: Wanted | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield what `Components.split` does, in the same order."""
        asked = self._asked(wanted)
        told = self._told(buckets)
        rest = np.empty(0, np.uint64)
        for batch in buckets():
            while len(rest) < batch.num_rows:
                rest = np.concatenate([rest, next(told)])
            roots, rest = rest[: batch.num_rows], rest[batch.num_rows :]
            if asked is not None:
                roots = np.where(np.isin(roots, asked), roots, APART)
            yield from parted(batch, roots, partitions)

    def _told(self, buckets: Buckets) -> Iterator[Docs]:
        """Yield the component of each row of the buckets, in their order; the greatest number where it has none."""
        with (
            Sorter(_ASKED, self._memory // 2, self._folder, singles=True) as sorter,
            Sorter(_TOLD, self._memory // 2, self._folder, singles=True) as answers,
        ):
            first = 0
            for batch in buckets():
                records = np.empty(batch.num_rows, _ASKED)
                records["doc"] = batch.column("doc").to_numpy()
                records["place"] = np.arange(first, first + batch.num_rows)
                first += batch.num_rows
                sorter.add(records)
            for docs, places, roots in _joined(iter(sorter), blocks_of(self._path)):
                told = np.empty(len(docs), _TOLD)
                told["place"], told["root"] = places, roots
                answers.add(told)
            for block in answers:
                yield block["root"].copy()

    def _asked(self, wanted: Wanted | None) -> Docs | None:
        """Return the components that have a wanted document, sorted; None: all."""
        if wanted is None:
            return None
        found = [np.unique(block["other"][wanted(block["node"].copy())]) for block in blocks_of(self._path)]
        return np.unique(np.concatenate([np.empty(0, np.uint64), *found]))


def bucket_edges(buckets: Iterable[pa.RecordBatch], exclude: Docs | None) -> Iterator[Edges]:
    """Yield an edge from each bucket's first document to each of its others, those left out (sorted) aside."""
    gone = np.empty(0, np.uint64) if exclude is None else exclude
    for batch in buckets:
        docs, shared = batch.column("doc").to_numpy(), batch.column("bucket").to_numpy()
        at = np.minimum(np.searchsorted(gone, docs), max(len(gone) - 1, 0))
        here = gone[at] != docs if len(gone) else np.ones(len(docs), np.bool_)
        docs, shared = docs[here], shared[here]
        if not len(docs):
            continue
        starts = np.flatnonzero(np.concatenate([[True], shared[1:] != shared[:-1]]))
        out = np.empty(len(docs), EDGE)
        out["node"], out["other"] = docs, np.repeat(docs[starts], np.diff(np.append(starts, len(docs))))
        yield out


def _joined(rows: Iterable[Edges], nodes: Iterator[Edges]) -> Iterator[tuple[Docs, Docs, Docs]]:
    """Yield (documents, places, components) of rows sorted by document, looked up among nodes sorted alike."""
    held = np.empty(0, EDGE)
    for block in rows:
        docs = np.ascontiguousarray(block["doc"])
        pieces = [held[np.searchsorted(held["node"], docs[0]) :]] if len(held) else []
        while not pieces or not len(pieces[-1]) or pieces[-1]["node"][-1] < docs[-1]:
            more = next(nodes, None)
            if more is None:
                break
            pieces.append(more)
        held = np.concatenate(pieces) if pieces else held
        roots = np.full(len(docs), APART)
        _look_up(docs, np.ascontiguousarray(held["node"]), np.ascontiguousarray(held["other"]), roots)
        yield docs, np.ascontiguousarray(block["place"]), roots


@kernel
def _look_up(docs: Docs, nodes: Docs, others: Docs, roots: npt.NDArray[np.uint64]) -> None:
    at = 0
    for i in range(len(docs)):
        while at < len(nodes) and nodes[at] < docs[i]:
            at += 1
        if at < len(nodes) and nodes[at] == docs[i]:
            roots[i] = others[at]
