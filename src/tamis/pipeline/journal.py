"""Journal: a file that grows line by line and survives being killed, on disks and on object stores.

A disk has append. An object store has not, and writing one object anew for every line costs the square of their
number: there each addition is an object of its own below `<path>.d/`, and every `FAN` of a size are merged into one,
so that n additions cost n·log(n) bytes and a reader opens a few dozen objects.
"""

from __future__ import annotations

from dataclasses import dataclass

from tamis.pipeline.storage import Storage

FAN = 64


@dataclass(frozen=True, slots=True)
class _Part:
    """One object: additions `first` to `last`, both included."""

    first: int
    last: int
    data: bytes

    @property
    def count(self) -> int:
        return self.last - self.first + 1


class Journal:
    """The lines of one file. One process writes it at a time."""

    def __init__(self, storage: Storage, path: str) -> None:
        self._storage = storage
        self._path = path
        self._next: int | None = None
        self._tail: list[_Part] = []  # parts of this process that may still be merged

    @property
    def _folder(self) -> str:
        return f"{self._path}.d"

    def read(self) -> bytes:
        """Return all that was written, in order; empty where there is nothing."""
        whole = self._storage.read(self._path) if self._storage.exists(self._path) else b""
        if not self._storage.remote:
            return whole
        return whole + b"".join(self._storage.read(path) for path in self._parts())

    def _parts(self) -> list[str]:
        """Return the parts to read, in order. A merged part stands beside its pieces where a kill came in between."""
        found = sorted((*_span(path), path) for path in self._storage.list(self._folder))
        found.sort(key=lambda part: (part[0], -part[1]))
        paths, end = [], -1
        for first, last, path in found:
            if first > end:
                paths.append(path)
                end = last
        return paths

    def add(self, data: bytes, *, durable: bool = True) -> None:
        """Append. A reader sees all of `data`, or on a disk perhaps a torn end of it; unless `durable`, a disk of a
        machine that fails may lack it, and what was added since the last that was."""
        if not self._storage.remote:
            self._storage.append(self._path, data, durable=durable)
            return
        if self._next is None:
            spans = [_span(path) for path in self._storage.list(self._folder)]
            self._next = max((last for _, last in spans), default=-1) + 1
        part = _Part(self._next, self._next, data)
        self._next += 1
        self._write(part)
        self._tail.append(part)
        while self._is_full():
            self._merge()

    def _is_full(self) -> bool:
        last = self._tail[-FAN:]
        return len(last) == FAN and len({part.count for part in last}) == 1

    def _merge(self) -> None:
        pieces = self._tail[-FAN:]
        merged = _Part(pieces[0].first, pieces[-1].last, b"".join(part.data for part in pieces))
        self._write(merged)
        for part in pieces:
            self._storage.delete(self._name(part))
        self._tail[-FAN:] = [merged]

    def _write(self, part: _Part) -> None:
        self._storage.write(self._name(part), part.data)

    def _name(self, part: _Part) -> str:
        return f"{self._folder}/{part.first:010d}-{part.last:010d}"

    def replace(self, data: bytes) -> None:
        """Make `data` the whole content. A kill leaves the old lines, the new ones, or the new ones and then the last
        of the old: oldest parts go first, so that what is left never contradicts what came after it."""
        self._storage.write(self._path, data)
        if self._storage.remote:
            for path in self._storage.list(self._folder):
                self._storage.delete(path)
        self._next, self._tail = None, []


def _span(path: str) -> tuple[int, int]:
    first, _, last = path.rpartition("/")[2].partition("-")
    return int(first), int(last)
