"""Read token datasets: random access by memory map, sharded over ranks, resumable in mid-epoch.

`open` gives a sequence, so PyTorch's DataLoader takes it as a map-style dataset as it is; torch is imported only by
`Tokens.iterable`.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.errors import ConfigError, InputError, MissingExtraError


class Document(NamedTuple):  # made in half the time of a frozen dataclass, and there are many
    """One document. `input_ids` is a read-only view of the mapped file, separators included, shape (n,)."""

    id: str
    language: str
    input_ids: npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Block:
    """The documents of one record batch: document i is `input_ids[offsets[i] : offsets[i + 1]]`, a view of the file."""

    input_ids: npt.NDArray[np.unsignedinteger[Any]]
    offsets: npt.NDArray[np.int64]


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

    def blocks(self) -> Iterator[Block]:
        """Yield the documents a record batch at a time."""
        for offsets, values in self._ids:
            yield Block(values, offsets)

    def documents(self, first: int, step: int) -> Iterator[Document]:
        """Yield every `step`-th document from row `first` on; columns are read a batch at a time, not a document."""
        start = 0
        for end, batch, (offsets, values) in zip(self._ends, self._batches, self._ids, strict=True):
            rows = range(first - start, end - start, step)
            if len(rows):
                picked = slice(rows.start, None, step)
                names = batch.column("id")[rows.start :].to_pylist()[::step]
                languages = batch.column("language")[rows.start :].to_pylist()[::step]
                starts, ends = offsets[:-1][picked].tolist(), offsets[1:][picked].tolist()
                for name, language, begin, stop in zip(names, languages, starts, ends, strict=True):
                    yield Document(name, language, values[begin:stop])
                first = start + rows[-1] + step
            start = end


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
    def paths(self) -> list[Path]:
        """The shards, of all ranks."""
        return list(self._paths)

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
        for document in self._from(self._position):
            self._position += 1  # before the yield: a document handed over is one seen
            yield document
        self._position = 0

    def blocks(self) -> Iterator[Block]:
        """Yield whole record batches without copying: every `world`-th of the dataset, from number `rank` on.

        The fastest way to read everything once. Iteration over documents and its state know nothing of it.
        """
        all_blocks = (block for index in range(len(self._paths)) for block in self._shard(index).blocks())
        return islice(all_blocks, self.rank, None, self.world)

    def iterable(self) -> Any:
        """Return a `torch.utils.data.IterableDataset` of the documents from where iteration stands.

        A DataLoader's workers share them out, each document once. Raises MissingExtraError without torch.
        """
        try:
            from torch.utils.data import IterableDataset, get_worker_info
        except ImportError as error:
            raise MissingExtraError("torch is not installed.", "pip install torch") from error
        tokens = self

        class Documents(IterableDataset):  # type: ignore[misc]
            """The documents of this rank; of this worker alone where there are several."""

            def __iter__(self) -> Iterator[Document]:
                worker = get_worker_info()
                return iter(tokens) if worker is None else tokens._from(tokens._position, worker.id, worker.num_workers)

        return Documents()

    def _from(self, position: int, worker: int = 0, workers: int = 1) -> Iterator[Document]:
        """Yield this rank's documents from `position` on, every `workers`-th of them from `worker` on."""
        step = self.world * workers
        number = (position + worker) * self.world + self.rank
        start = 0
        for index, end in enumerate(self._ends):
            if number < end:
                yield from self._shard(index).documents(number - start, step)
                number += -(-(end - number) // step) * step
            start = end

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
    """Open `tokens/<language>`, or `tokens` for all its languages and buckets in order of name.

    `rank` of `world` says which share to read. Raises InputError where the folder holds no finished dataset.
    """
    path = Path(folder)
    folders = [path] if (path / "state.json").is_file() else sorted(file.parent for file in path.rglob("state.json"))
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
