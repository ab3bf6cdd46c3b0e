"""Write token datasets in the formats of Megatron-LM, datatrove (nanotron) and MosaicML streaming, and as Parquet.

All but Parquet take record batches as (ids, offsets): `ids` in one row, document i at `offsets[i]` to `offsets[i + 1]`.
Documents keep their separators. Everything is streamed; what is held is 8 to 12 bytes a document.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from tamis.errors import ConfigError

Ids = npt.NDArray[np.unsignedinteger[Any]]
Blocks = Iterable[tuple[Ids, npt.NDArray[np.int64]]]
# megatron/core/datasets/indexed_dataset.py: DType; Megatron knows no uint32, and ids are below 2**31.
_MEGATRON_TYPES: dict[int, tuple[int, np.dtype[Any]]] = {2: (8, np.dtype("<u2")), 4: (4, np.dtype("<i4"))}
_MDS_BYTES = 1 << 26


def megatron(blocks: Blocks, prefix: Path) -> None:
    """Write `prefix.bin` and `prefix.idx`, one sequence a document. Raises ConfigError where there are no documents."""
    lengths: list[npt.NDArray[np.int64]] = []
    code, dtype = _MEGATRON_TYPES[2]
    with prefix.with_name(prefix.name + ".bin").open("wb") as sink:
        for ids, offsets in blocks:
            code, dtype = _MEGATRON_TYPES[ids.dtype.itemsize]
            sink.write(ids[offsets[0] : offsets[-1]].astype(dtype, copy=False).data)
            lengths.append(np.diff(offsets))
    sizes = _joined(lengths)
    starts = np.cumsum(sizes) - sizes
    with prefix.with_name(prefix.name + ".idx").open("wb") as index:
        index.write(b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, code, len(sizes), len(sizes) + 1))
        index.write(sizes.astype("<i4").tobytes())
        index.write((starts * dtype.itemsize).astype("<i8").tobytes())
        index.write(np.arange(len(sizes) + 1, dtype="<i8").tobytes())


def datatrove(blocks: Blocks, path: Path, *, tokenizer: str = "Unknown Tokenizer") -> None:
    """Write `path` (.ds), `path.index` (document ends) and `path.metadata`, as datatrove's DocumentTokenizer does."""
    lengths: list[npt.NDArray[np.int64]] = []
    width = 2
    with path.open("wb") as sink:
        for ids, offsets in blocks:
            width = ids.dtype.itemsize
            sink.write(ids[offsets[0] : offsets[-1]].data)
            lengths.append(np.diff(offsets))
    ends = np.cumsum(_joined(lengths))
    path.with_name(path.name + ".index").write_bytes(ends.astype("<u8").tobytes())
    total = int(ends[-1])
    lines = [f"{tokenizer}|{width}", str(total), f"{total} T"]
    path.with_name(path.name + ".metadata").write_text("\n".join(lines), "utf-8")


def mds(blocks: Blocks, folder: Path, *, shard_bytes: int = _MDS_BYTES) -> None:
    """Write MosaicML shards and `index.json`: one sample a document, column `tokens` (ndarray), empty ones left out.

    `folder` is made; a shard holds at most `shard_bytes`, or one sample.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards: list[dict[str, Any]] = []
    held: list[bytes] = []
    size = 0
    encoding = "ndarray:uint16"
    for ids, offsets in blocks:
        encoding = f"ndarray:{ids.dtype.name}"
        for sample in _mds_samples(ids, offsets):
            if held and size + len(sample) > shard_bytes:
                shards.append(_mds_shard(folder, len(shards), held, encoding, shard_bytes))
                held, size = [], 0
            held.append(sample)
            size += len(sample) + 4
    if held:
        shards.append(_mds_shard(folder, len(shards), held, encoding, shard_bytes))
    (folder / "index.json").write_text(json.dumps({"version": 2, "shards": shards}, sort_keys=True), "utf-8")


def parquet(shards: Iterable[Path], folder: Path) -> None:
    """Write each Arrow shard as a Parquet file of the same name in `folder`, which is made; all columns, one schema."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in shards:
        reader = pa.ipc.open_file(pa.memory_map(str(shard)))
        path = folder / shard.with_suffix(".parquet").name
        with pq.ParquetWriter(path, reader.schema, compression="zstd", use_dictionary=["language"]) as writer:
            for number in range(reader.num_record_batches):
                writer.write_batch(reader.get_batch(number))


def _mds_samples(ids: Ids, offsets: npt.NDArray[np.int64]) -> Iterator[bytes]:
    """Yield samples: the size of the one column, then its number of axes and the type of its shape, shape, values."""
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        if end > start:
            width = 0 if end - start < 1 << 8 else 1 if end - start < 1 << 16 else 2
            shape = bytes([1 << 2 | width]) + struct.pack("<" + "BHI"[width], end - start)
            values = shape + ids[start:end].tobytes()
            yield struct.pack("<I", len(values)) + values


def _mds_shard(folder: Path, number: int, samples: list[bytes], encoding: str, limit: int) -> dict[str, Any]:
    """Write a shard: the number of samples, where each starts and the last ends, the column's type, the samples."""
    about = {
        "column_encodings": [encoding],
        "column_names": ["tokens"],
        "column_sizes": [None],
        "compression": None,
        "format": "mds",
        "hashes": [],
        "size_limit": limit,
        "version": 2,
    }
    config = json.dumps(about, sort_keys=True).encode()
    offsets = np.zeros(len(samples) + 1, np.int64)
    np.cumsum([len(sample) for sample in samples], out=offsets[1:])
    offsets += 4 + 4 * len(offsets) + len(config)
    path = folder / f"shard.{number:05d}.mds"
    with path.open("wb") as sink:
        _write(sink, [struct.pack("<I", len(samples)), offsets.astype("<u4").tobytes(), config, *samples])
    raw = {"basename": path.name, "bytes": path.stat().st_size, "hashes": {}}
    return about | {"raw_data": raw, "samples": len(samples), "zip_data": None}


def _write(sink: BinaryIO, parts: list[bytes]) -> None:
    for part in parts:
        sink.write(part)


def _joined(lengths: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    if not sum(map(len, lengths)):
        raise ConfigError("There are no documents to export.", "Give a dataset that holds some.")
    return np.concatenate(lengths)
