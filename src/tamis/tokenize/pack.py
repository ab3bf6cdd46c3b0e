"""Pack documents into samples of one length, document boundaries kept, and say what padding and truncation cost.

"none" gives each document a sample; "chunk" concatenates and cuts; "best_fit" cuts only documents longer than a sample
and fits the pieces together, fullest sample first: Ding et al. (2024, arXiv 2404.10830). We differ in that pieces are
fitted within a window of documents, so memory is bounded and order is kept roughly.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.errors import ConfigError, unknown

Array = npt.NDArray[np.unsignedinteger[Any]]
WINDOW = 8192  # documents fitted together


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample: `input_ids` of shape (length,), padded at the end.

    `cu_seqlens` (int32, from 0, one more than there are pieces) says where the pieces of documents begin and end, what
    follows the last is padding; `position_ids` (int32, shape (length,)) count from 0 in each piece and in the padding.
    """

    input_ids: Array
    cu_seqlens: npt.NDArray[np.int32]

    @property
    def position_ids(self) -> npt.NDArray[np.int32]:
        """The place of each id in its piece."""
        starts = np.zeros(len(self.input_ids), np.int32)
        ends = self.cu_seqlens[1:]
        inner = ends[ends < len(self.input_ids)]
        starts[inner] = inner
        places: npt.NDArray[np.int32] = np.arange(len(starts), dtype=np.int32) - np.maximum.accumulate(starts)
        return places


@dataclass(slots=True)
class Loss:
    """What packing cost so far: ids read, ids of them in samples, ids cut away, padding put in, samples given."""

    tokens: int = 0
    kept: int = 0
    truncated: int = 0
    padding: int = 0
    samples: int = 0

    def __str__(self) -> str:
        filled = self.kept + self.padding
        return (
            f"{self.samples:,} samples of {self.tokens:,} tokens: "
            f"padding {self.padding / max(filled, 1):.2%} of the samples, "
            f"truncation {self.truncated / max(self.tokens, 1):.2%} of the tokens"
        )


class Packer:
    """Iterate it once for its samples; `loss` counts along and is whole at the end."""

    def __init__(
        self, documents: Iterable[Array], length: int, *, how: str = "best_fit", pad_id: int = 0, window: int = WINDOW
    ) -> None:
        """`documents` are ids with their separators; raises ConfigError for an unknown `how` or a length below 1."""
        if how not in _WAYS:
            raise unknown("packing", how, _WAYS)
        if length < 1 or window < 1:
            raise ConfigError(f"length is {length}, window {window}.", "Both are at least 1; 2048 and 8192 are usual.")
        self.loss = Loss()
        self._documents, self._length, self._how, self._pad, self._window = documents, length, how, pad_id, window

    def __iter__(self) -> Iterator[Sample]:
        for pieces in _WAYS[self._how](self._counted(), self._length, self._window):
            yield self._sample(pieces)
        self.loss.truncated = self.loss.tokens - self.loss.kept

    def _counted(self) -> Iterator[Array]:
        for ids in self._documents:
            self.loss.tokens += len(ids)
            if len(ids):
                yield ids

    def _sample(self, pieces: list[Array]) -> Sample:
        ids = np.full(self._length, self._pad, pieces[0].dtype)
        ends = np.zeros(len(pieces) + 1, np.int32)
        np.cumsum([len(piece) for piece in pieces], out=ends[1:])
        ids[: ends[-1]] = np.concatenate(pieces)
        self.loss.samples += 1
        self.loss.kept += int(ends[-1])
        self.loss.padding += self._length - int(ends[-1])
        return Sample(ids, ends)


def _alone(documents: Iterator[Array], length: int, window: int) -> Iterator[list[Array]]:
    for ids in documents:
        yield [ids[:length]]


def _chunks(documents: Iterator[Array], length: int, window: int) -> Iterator[list[Array]]:
    held: list[Array] = []
    room = length
    for ids in documents:
        while len(ids) >= room:
            yield [*held, ids[:room]]
            held, ids, room = [], ids[room:], length
        if len(ids):
            held.append(ids)
            room -= len(ids)
    if held:
        yield held


def _best_fit(documents: Iterator[Array], length: int, window: int) -> Iterator[list[Array]]:
    pieces: list[Array] = []
    for read, ids in enumerate(documents, 1):
        whole = len(ids) - len(ids) % length
        yield from ([ids[start : start + length]] for start in range(0, whole, length))
        if whole < len(ids):
            pieces.append(ids[whole:])
        if read % window == 0:
            yield from fitted(pieces, length)
            pieces = []
    yield from fitted(pieces, length)


def fitted(pieces: list[Array], length: int) -> Iterator[list[Array]]:
    """Yield the pieces fitted into samples: longest first, each into the sample with the least room that holds it."""
    rooms: list[tuple[int, int]] = []  # (room, sample), sorted
    samples: list[list[Array]] = []
    for number in sorted(range(len(pieces)), key=lambda number: (-len(pieces[number]), number)):
        piece = pieces[number]
        place = bisect_left(rooms, (len(piece), -1))
        room, sample = rooms.pop(place) if place < len(rooms) else (length, len(samples))
        if sample == len(samples):
            samples.append([])
        samples[sample].append(piece)
        if room > len(piece):
            insort(rooms, (room - len(piece), sample))
    yield from samples


_WAYS: dict[str, Callable[[Iterator[Array], int, int], Iterator[list[Array]]]] = {
    "none": _alone,
    "chunk": _chunks,
    "best_fit": _best_fit,
}
