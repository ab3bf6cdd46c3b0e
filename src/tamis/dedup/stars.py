"""Connected components in rounds over sorted edges on disk, for graphs whose nodes do not fit in memory: large-star and
small-star in turn (Kiveris et al. 2014, *Connected Components in MapReduce and Beyond*, SoCC).

A large star points each neighbour greater than a node at the least of the node's neighbourhood; a small star points the
neighbours smaller than it, and the node itself, there. Neither joins nor parts components, and when a round changes no
edge each node points at the least of its component. What is held is one block of the external sort.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tamis.dedup.components import partition_of
from tamis.dedup.documents import Docs
from tamis.dedup.spill import Sorter
from tamis.text.kernel import kernel

Edges = npt.NDArray[np.void]

EDGE = np.dtype([("node", np.uint64), ("other", np.uint64)])
_CHUNK = 1 << 18
# A round of both stars at least halves the depth of what is left; this many have never been needed.
_MOST_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Stars:
    """Each node that is not the least of its component, sorted, with the least as `other`, in a file of `EDGE` records;
    and how many rounds that took."""

    path: Path
    rounds: int

    def blocks(self) -> Iterator[Edges]:
        """Yield the records in order."""
        return blocks_of(self.path)


def find_stars(edges: Iterable[Edges], *, memory: int, scratch: Path) -> Stars:
    """Return the components of a graph given by `EDGE` records, in any order, with repeats, either way round.

    The file of the answer lies in `scratch` and is the caller's to remove. About `memory` bytes are sorted at once,
    save that the neighbours of one node are held together.
    """
    folder = Path(tempfile.mkdtemp(prefix="stars-", dir=scratch))
    here, there = folder / "a", folder / "b"
    last = _write(here, map(descending, edges))
    for rounds in range(1, _MOST_ROUNDS):
        both = (edges for block in blocks_of(here) for edges in (block, turned(block)))
        _write(there, large_stars(both, memory=memory, scratch=folder))
        found = _write(here, small_stars(blocks_of(there), memory=memory, scratch=folder))
        if found == last:
            there.unlink()
            return Stars(here, rounds)
        last = found
    raise RuntimeError(f"components did not settle in {_MOST_ROUNDS} rounds")


def blocks_of(path: Path) -> Iterator[Edges]:
    """Yield the records of a file of edges."""
    with path.open("rb") as file:
        while data := file.read(_CHUNK * EDGE.itemsize):
            yield np.frombuffer(data, EDGE)


def descending(edges: Edges) -> Edges:
    """Return edges with the greater node first, without loops."""
    out = np.empty(len(edges), EDGE)
    out["node"] = np.maximum(edges["node"], edges["other"])
    out["other"] = np.minimum(edges["node"], edges["other"])
    found: Edges = out[out["node"] != out["other"]]
    return found


def turned(edges: Edges) -> Edges:
    """Return edges the other way round."""
    out = np.empty(len(edges), EDGE)
    out["node"], out["other"] = edges["other"], edges["node"]
    return out


def large_stars(edges: Iterable[Edges], *, memory: int, scratch: Path) -> Iterator[Edges]:
    """Yield the edges of a large star, greater node first; `edges` come both ways round, all of a node's among them."""
    return _stars(edges, _large, memory, scratch)


def small_stars(edges: Iterable[Edges], *, memory: int, scratch: Path) -> Iterator[Edges]:
    """Yield the edges of a small star, greater node first; `edges` come greater node first, all of a node's among
    them."""
    return _stars(edges, _small, memory, scratch)


def parted_edges(edges: Iterable[Edges], parts: int) -> Iterator[tuple[int, Edges]]:
    """Yield (part, edges) so that all edges with one first node are in one part."""
    for block in edges:
        of = partition_of(np.ascontiguousarray(block["node"]), parts).astype(np.uint16)
        ordered = block[np.argsort(of, kind="stable")]
        ends = np.cumsum(np.bincount(of, minlength=parts)).tolist()
        for part, (begin, end) in enumerate(pairwise([0, *ends])):
            if end > begin:
                yield part, ordered[begin:end]


class Tally:
    """How many edges went by, and a sum that no other edges have but by accident."""

    def __init__(self) -> None:
        self.count, self.total = 0, 0

    def __call__(self, edges: Edges) -> Edges:
        """Count edges; return them."""
        mixed = (edges["node"] * np.uint64(0x9E3779B97F4A7C15) ^ edges["other"]) * np.uint64(0xC4CEB9FE1A85EC53)
        self.count += len(edges)
        self.total = (self.total + int((mixed ^ mixed >> np.uint64(31)).sum(dtype=np.uint64))) % (1 << 64)
        return edges


def _write(path: Path, blocks: Iterator[Edges]) -> tuple[int, int]:
    tally = Tally()
    with path.open("wb") as file:
        for block in blocks:
            file.write(tally(block).data)
    return tally.count, tally.total


def _stars(edges: Iterable[Edges], star: Callable[..., int], memory: int, scratch: Path) -> Iterator[Edges]:
    with Sorter(EDGE, memory, scratch, singles=True) as sorter:
        for block in edges:
            sorter.add(block)
        for block in sorter:
            nodes, others = np.ascontiguousarray(block["node"]), np.ascontiguousarray(block["other"])
            out = np.empty((len(block) + 1, 2), np.uint64)
            used = star(nodes, others, out)
            yield out[:used].view(EDGE).ravel()


@kernel
def _large(nodes: Docs, others: Docs, out: npt.NDArray[np.uint64]) -> int:
    """Write (neighbour, least) for each neighbour greater than its node; `others` ascend within a node."""
    to = 0
    begin = 0
    for at in range(len(nodes)):
        if at and nodes[at] != nodes[at - 1]:
            begin = at
        if at > begin and others[at] == others[at - 1]:
            continue
        if others[at] > nodes[at]:
            out[to, 0], out[to, 1] = others[at], min(nodes[at], others[begin])
            to += 1
    return to


@kernel
def _small(nodes: Docs, others: Docs, out: npt.NDArray[np.uint64]) -> int:
    """Write (neighbour, least) for each neighbour but the least, all smaller than their node, and for the node."""
    to = 0
    begin = 0
    for at in range(len(nodes)):
        if at == 0 or nodes[at] != nodes[at - 1]:
            begin = at
            out[to, 0], out[to, 1] = nodes[at], others[at]
            to += 1
        elif others[at] != others[at - 1]:
            out[to, 0], out[to, 1] = others[at], others[begin]
            to += 1
    return to
