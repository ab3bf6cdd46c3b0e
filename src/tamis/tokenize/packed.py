"""Pack a dataset folder into a folder of samples of one length, which reads, shuffles and exports like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.errors import ConfigError, InputError, OutputError
from tamis.tokenize.folder import features_of
from tamis.tokenize.ipc import ShardFile
from tamis.tokenize.pack import WINDOW, Array, Loss, Packer, Sample

_BATCH_TOKENS = 1 << 20


def pack(
    source: Path,
    out: Path,
    length: int,
    *,
    how: str = "best_fit",
    pad_id: int | None = None,
    window: int = WINDOW,
    shard_tokens: int = 100_000_000,
    position_ids: bool = False,
) -> Loss:
    """Write the documents of the dataset folder `source` as samples of `length` ids to the new folder `out`.

    Columns: `input_ids`, `cu_seqlens` (where pieces of documents begin and end), `position_ids` if asked for, `id` (the
    sample's number) and `language`. `pad_id` is the separator after documents where None, or 0 without one. `tokens` in
    `state.json` counts padding too; `packing` there says what padding and truncation cost, as the returned loss does.
    About `window` documents and a batch of samples are held. The same options give the same bytes.
    Raises InputError where `source` is no dataset, OutputError where `out` is one already, ConfigError for options.
    """
    if (out / "state.json").exists():
        raise OutputError(f"{out} holds a dataset already.", "Name a new folder.")
    state, readers = opened(source)
    facts = json.loads((readers[0].schema.metadata or {}).get(b"tamis", b"{}")) if readers else {}
    pad = (facts.get("after") or 0) if pad_id is None else pad_id
    width = readers[0].schema.field("input_ids").type.value_type if readers else pa.uint16()
    if not 0 <= pad < 1 << width.bit_width:
        raise ConfigError(f"pad_id is {pad}, which {width} cannot hold.", "Give an id of the tokenizer.")
    packer = Packer(documents(readers), length, how=how, pad_id=pad, window=window)
    schema = sample_schema(width, position_ids, {"pad": pad, "length": length, "how": how} | facts)
    out.mkdir(parents=True, exist_ok=True)
    files = list(_written(packer, out, schema, source.name, -(-shard_tokens // length), length))
    made = f"pack {state['_fingerprint']} {length} {how} {pad} {window} {shard_tokens} {position_ids}"
    about = {"_data_files": files, "_fingerprint": hashlib.sha256(made.encode()).hexdigest()[:16]}
    packing = {"how": how, "length": length, "pad_id": pad} | asdict(packer.loss)
    _describe(source, out, schema, state | about | {"packing": packing})
    return packer.loss


def opened(source: Path) -> tuple[dict[str, Any], list[pa.ipc.RecordBatchFileReader]]:
    """Return a dataset folder's state and its shards, mapped. Raises InputError where it is none."""
    try:
        state: dict[str, Any] = json.loads((source / "state.json").read_bytes())
        paths = [source / file["filename"] for file in state["_data_files"]]
        return state, [pa.ipc.open_file(pa.memory_map(str(path))) for path in paths]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{source} is no dataset folder: {error!r}.", "Give the folder with state.json.") from error


def documents(readers: Iterable[pa.ipc.RecordBatchFileReader]) -> Iterator[Array]:
    """Yield the ids of each document, a view of the mapped file."""
    for reader in readers:
        for number in range(reader.num_record_batches):
            lists = reader.get_batch(number).column("input_ids")
            values, ends = lists.values.to_numpy(), lists.offsets.to_numpy().tolist()
            yield from (values[start:end] for start, end in pairwise(ends))


def sample_schema(width: pa.DataType, position_ids: bool, facts: dict[str, Any]) -> pa.Schema:
    """Return the one schema of packed shards."""
    fields = [pa.field("input_ids", pa.large_list(width)), pa.field("cu_seqlens", pa.large_list(pa.int32()))]
    if position_ids:
        fields.append(pa.field("position_ids", pa.large_list(pa.int32())))
    fields += [pa.field("id", pa.large_string()), pa.field("language", pa.large_string())]
    return pa.schema(fields, metadata={"tamis": json.dumps(facts, sort_keys=True)})


def _written(
    packer: Packer, out: Path, schema: pa.Schema, language: str, per_shard: int, length: int
) -> Iterator[dict[str, Any]]:
    """Yield what each shard holds, having written it."""
    samples, number, first = iter(packer), 0, 0
    per_batch = max(1, min(_BATCH_TOKENS // length, per_shard))
    while held := list(islice(samples, per_batch)):
        name, count = f"{number:05d}.arrow", 0
        with ExitStack() as stack:
            shard = ShardFile(stack.enter_context((out / name).open("wb")), schema)
            while held:
                shard.write(_batch(held, schema, language, first + count))
                count += len(held)
                held = list(islice(samples, min(per_batch, per_shard - count)))
            shard.close()
        yield {"filename": name, "documents": count, "tokens": count * length, "separators": 0}
        number, first = number + 1, first + count


def _batch(samples: list[Sample], schema: pa.Schema, language: str, first: int) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {
        "id": pa.array([f"sample:{number}" for number in range(first, first + len(samples))], pa.large_string()),
        "language": pa.array([language] * len(samples), pa.large_string()),
    }
    for name in schema.names:
        if name not in columns:
            columns[name] = _lists([getattr(sample, name) for sample in samples], schema.field(name).type)
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _lists(rows: list[Any], kind: pa.DataType) -> pa.LargeListArray:
    ends = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=ends[1:])
    return pa.LargeListArray.from_arrays(ends, pa.array(np.concatenate(rows), kind.value_type), type=kind)


def _describe(source: Path, out: Path, schema: pa.Schema, state: dict[str, Any]) -> None:
    info = json.loads((source / "dataset_info.json").read_bytes())
    samples = sum(file["documents"] for file in state["_data_files"])
    size = sum((out / file["filename"]).stat().st_size for file in state["_data_files"])
    split = {"name": "train", "num_bytes": size, "num_examples": samples, "dataset_name": source.name}
    info |= {"features": features_of(schema), "splits": {"train": split}, "dataset_size": size}
    info["description"] = f"{source.name}, packed; {samples} samples."
    for name, value in (("dataset_info.json", info), ("state.json", state)):
        (out / name).write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
