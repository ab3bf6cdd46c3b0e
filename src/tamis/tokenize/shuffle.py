"""Shuffle a dataset folder globally in two passes: scatter by the first bits of a seeded key, then sort each part.

A document's key is a hash of the seed and its place, so the order depends on neither memory nor the number of parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.errors import InputError, OutputError
from tamis.tokenize.ipc import ShardFile

_KEY = "shuffle_key"
_MOST_PARTS = 512  # files open at once
_BATCH_TOKENS = 1 << 20


def keys(seed: int, start: int, count: int) -> npt.NDArray[np.uint64]:
    """Return the keys of documents `start` and on, shape (count,), uint64 (Steele et al. 2014, SplitMix64)."""
    base = int.from_bytes(hashlib.blake2b(str(seed).encode(), digest_size=8).digest(), "little")
    value = np.arange(start + 1, start + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(base)
    value = (value ^ value >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ value >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return value ^ value >> np.uint64(31)


def shuffle(
    source: Path, out: Path, *, seed: int, memory: int = 1 << 30, shard_tokens: int = 100_000_000
) -> dict[str, Any]:
    """Write the documents of the dataset folder `source` to the new folder `out`, in seeded order; return its state.

    About `memory` bytes are held; scattered documents lie in a temporary folder beside `out` meanwhile.
    Raises InputError where `source` is no dataset, OutputError where `out` is one already.
    """
    if (out / "state.json").exists():
        raise OutputError(f"{out} holds a dataset already.", "Name a new folder.")
    try:
        state: dict[str, Any] = json.loads((source / "state.json").read_bytes())
        info = (source / "dataset_info.json").read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"{source} is no dataset folder: {error!r}.", "Give the folder with state.json.") from error
    files = [source / file["filename"] for file in state["_data_files"]]
    size = sum(file.stat().st_size for file in files)
    parts = min(_MOST_PARTS, max(1, -(-4 * size // memory)))  # a part is read, sorted and copied: four times its size
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        held = [Path(scratch, f"{number}.arrow") for number in range(parts)]
        _scatter(files, held, seed)
        written = list(_gather(held, out, shard_tokens, _separators(state)))
    (out / "dataset_info.json").write_bytes(info)
    fingerprint = hashlib.sha256(f"shuffle {seed} {state['_fingerprint']} {shard_tokens}".encode()).hexdigest()[:16]
    state = state | {"_data_files": written, "_fingerprint": fingerprint}
    (out / "state.json").write_text(json.dumps(state, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return state


def _separators(state: dict[str, Any]) -> int:
    """Return separators per document."""
    documents = sum(int(file["documents"]) for file in state["_data_files"])
    return sum(int(file["separators"]) for file in state["_data_files"]) // max(documents, 1)


def _scatter(files: list[Path], held: list[Path], seed: int) -> None:
    start = 0
    with ExitStack() as stack:
        sinks: list[pa.ipc.RecordBatchFileWriter] = []
        for file in files:
            reader = pa.ipc.open_file(pa.memory_map(str(file)))
            schema = reader.schema.append(pa.field(_KEY, pa.uint64()))
            sinks = sinks or [stack.enter_context(pa.ipc.new_file(str(path), schema)) for path in held]
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                order = keys(seed, start, batch.num_rows)
                start += batch.num_rows
                batch = batch.append_column(pa.field(_KEY, pa.uint64()), pa.array(order))
                part = (order >> np.uint64(32)) * np.uint64(len(held)) >> np.uint64(32)
                for each in np.unique(part).tolist():
                    sinks[each].write_batch(batch.take(pa.array(np.flatnonzero(part == each))))


def _gather(held: list[Path], out: Path, shard_tokens: int, separators: int) -> Iterator[dict[str, Any]]:
    """Yield what each shard holds, having written it; a shard is closed by the document that fills it."""
    shard: ShardFile | None = None
    with ExitStack() as stack:
        count = documents = ids = 0
        for batch in _ordered(held, min(_BATCH_TOKENS, shard_tokens // 100 + 1)):
            if shard is None:
                name = f"{count:05d}.arrow"
                shard = ShardFile(stack.enter_context((out / name).open("wb")), batch.schema)
            shard.write(batch)
            documents += batch.num_rows
            ids += _ids(batch)
            if ids - separators * documents >= shard_tokens:
                shard.close()
                yield _counts(name, documents, ids, separators)
                shard, count, documents, ids = None, count + 1, 0, 0
        if shard is not None:
            shard.close()
            yield _counts(name, documents, ids, separators)


def _counts(name: str, documents: int, ids: int, separators: int) -> dict[str, Any]:
    marks = separators * documents
    return {"filename": name, "documents": documents, "tokens": ids - marks, "separators": marks}


def _ids(batch: pa.RecordBatch) -> int:
    return int(pc.sum(pc.list_value_length(batch.column("input_ids"))).as_py() or 0)


def _ordered(held: list[Path], limit: int) -> Iterator[pa.RecordBatch]:
    """Yield the documents of each part by key, in batches of about `limit` ids."""
    for path in held:
        if not path.exists():
            continue
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        table = reader.read_all()
        order = np.argsort(table.column(_KEY).to_numpy(), kind="stable")
        table = table.drop_columns([_KEY])
        ends = np.cumsum(pc.list_value_length(table.column("input_ids")).to_numpy()[order])
        start = 0
        while start < len(order):
            before = int(ends[start - 1]) if start else 0
            end = max(start + 1, int(np.searchsorted(ends, before + limit, side="right")))
            yield table.take(pa.array(order[start:end])).combine_chunks().to_batches()[0]
            start = end
