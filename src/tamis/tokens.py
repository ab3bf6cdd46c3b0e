"""Read token datasets: random access by memory map, sharded over ranks, resumable in mid-epoch.

`open` gives a sequence, so PyTorch's DataLoader takes it as a map-style dataset as it is; torch is not imported.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.errors import ConfigError, InputError


@dataclass(frozen=True, slots=True)
class Document:
    """One document. `input_ids` is a read-only view of the mapped file, separators included, shape (n,)."""

    id: str
    language: str
    input_ids: npt.NDArray[np.unsignedinteger[Any]]


class Shard:
    """One Arrow shard, mapped; documents by row."""

    def __init__(self, path: Path) -> None:
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"Cannot read the shard {path}: {error}.", "Write it again: the run resumes.") from error
        self._batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
        self._ids = [_ids(batch) for batch in self._batches]
        self._ends = list(accumulate(batch.num_rows for batch in self._batches))

    def __getitem__(self, row: int) -> Document:
        index = bisect_right(self._ends, row)
        place = row - (self._ends[index - 1] if index else 0)
        offsets, values = self._ids[index]
        batch = self._batches[index]
        ids = values[offsets[place] : offsets[place + 1]]
        return Document(batch.column("id")[place].as_py(), batch.column("language")[place].as_py(), ids)


class Tokens(Sequence[Document]):
    """The documents of one or more dataset folders that fall to one rank: every `world`-th, from `rank` on.

    Iteration starts where the last one, or a loaded state, left off, and at the first document after the last.
    """

    def __init__(self, folders: Sequence[Path], rank: int, world: int) -> None:
        if not 0 <= rank < world:
            raise ConfigError(f"rank {rank} of world {world}.", "Ranks count from 0 to world - 1.")
        self.rank, self.world = rank, world
        self._folders = list(folders)
        self._states = [_state(folder) for folder in folders]
        files = [
            (folder / file["filename"], int(file["documents"]))
            for folder, state in zip(folders, self._states, strict=True)
            for file in state["_data_files"]
        ]
        self._paths = [path for path, _ in files]
        self._ends = list(accumulate(documents for _, documents in files))
        self._open: dict[int, Shard] = {}
        self._position = 0

    @property
    def tokens(self) -> int:
        """Tokens of all ranks, separators not counted."""
        return sum(int(file["tokens"]) for state in self._states for file in state["_data_files"])

    def __len__(self) -> int:
        total = self._ends[-1] if self._ends else 0
        return max(0, -(-(total - self.rank) // self.world))

    @overload
    def __getitem__(self, index: int) -> Document: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...
    def __getitem__(self, index: int | slice) -> Document | Sequence[Document]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        number = place * self.world + self.rank
        shard = bisect_right(self._ends, number)
        return self._shard(shard)[number - (self._ends[shard - 1] if shard else 0)]

    def __iter__(self) -> Iterator[Document]:
        while self._position < len(self):
            document = self[self._position]
            self._position += 1  # before the yield: a document handed over is one seen
            yield document
        self._position = 0

    def state_dict(self) -> dict[str, Any]:
        """Return where iteration stands, as plain JSON values."""
        return {"position": self._position, "rank": self.rank, "world": self.world, "data": self._fingerprints()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken. Raises ConfigError for a state of other data or another rank."""
        here = self.state_dict() | {"position": state.get("position")}
        if dict(state) != here:
            raise ConfigError(f"The state {dict(state)} is not of this dataset and rank.", f"Expected {here}.")
        self._position = int(state["position"])

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": {}}

    def _fingerprints(self) -> list[str]:
        return [str(state["_fingerprint"]) for state in self._states]

    def _shard(self, index: int) -> Shard:
        if index not in self._open:
            self._open[index] = Shard(self._paths[index])
        return self._open[index]


def open(folder: str | Path, *, rank: int = 0, world: int = 1) -> Tokens:
    """Open `tokens/<language>`, or `tokens` for all its languages in order of name.

    `rank` of `world` says which share to read. Raises InputError where the folder holds no finished dataset.
    """
    path = Path(folder)
    folders = [path] if (path / "state.json").is_file() else sorted(file.parent for file in path.glob("*/state.json"))
    if not folders:
        raise InputError(f"{path} holds no token dataset.", "Give the folder with state.json, or the one above it.")
    return Tokens(folders, rank, world)


def _state(folder: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_bytes())
        if any("documents" not in file for file in state["_data_files"]):
            raise KeyError("documents")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder / 'state.json'} cannot be used: {error!r}.", "Write the dataset again.") from error
    return state


def _ids(batch: pa.RecordBatch) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    lists = batch.column("input_ids")
    return lists.offsets.to_numpy(), lists.values.to_numpy()
