"""Exports, read back by their consumers where installed, and by their formats' own definitions everywhere."""

from __future__ import annotations

import itertools
import json
import struct

import numpy as np
import pytest

from tamis import tokens
from tamis.errors import ConfigError
from tamis.tokenize import export


@pytest.fixture(params=["uint16", "uint32"])
def data(request, made):
    return tokens.open(made({"eng_Latn": [13, 0, 4]}, dtype=request.param) / "eng_Latn")


def blocks(data):
    return ((block.input_ids, block.offsets) for block in data.blocks())


def expected(data):
    return [document.input_ids.tolist() for document in data]


def test_megatron_by_its_format(data, tmp_path):
    export.megatron(blocks(data), tmp_path / "out")
    index = (tmp_path / "out.idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack_from("<QBQQ", index, 9)
    assert (version, sequences, documents) == (1, 17, 18)
    dtype = {8: np.uint16, 4: np.int32}[code]
    lengths = np.frombuffer(index, np.int32, 17, 34)
    starts = np.frombuffer(index, np.int64, 17, 34 + 68)
    assert np.frombuffer(index, np.int64, 18, 34 + 68 + 136).tolist() == list(range(18))
    ids = (tmp_path / "out.bin").read_bytes()
    found = [np.frombuffer(ids, dtype, length, start).tolist() for length, start in zip(lengths, starts, strict=True)]
    assert found == expected(data)


def test_megatron_by_megatron(data, tmp_path):
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    export.megatron(blocks(data), tmp_path / "out")
    read = indexed.IndexedDataset(str(tmp_path / "out"))
    assert [read[number].tolist() for number in range(len(read))] == expected(data)


def test_datatrove_by_datatrove(data, tmp_path):
    pytest.importorskip("torch")
    module = pytest.importorskip("datatrove.utils.dataset")
    export.datatrove(blocks(data), tmp_path / "00000.ds")
    width = data[0].input_ids.dtype.itemsize
    ids = [value for part in expected(data) for value in part]
    read = module.DatatroveFileDataset(str(tmp_path / "00000.ds"), 16, token_size=width)
    assert len(read) == len(ids) // 17
    found = [value for number in range(len(read)) for value in read[number]["input_ids"].tolist()]
    assert found == ids[: len(found)]
    ends = np.frombuffer((tmp_path / "00000.ds.index").read_bytes(), "<u8")
    assert ends.tolist() == np.cumsum([len(part) for part in expected(data)]).tolist()
    with_positions = module.DatatroveFileDataset(
        str(tmp_path / "00000.ds"), 16, token_size=width, return_positions=True
    )
    first = len(expected(data)[0])
    assert with_positions[0]["positions"].tolist()[: min(16, first)] == list(range(min(16, first)))


def test_mds_by_its_format(data, tmp_path):
    export.mds(blocks(data), tmp_path / "mds", shard_bytes=300)
    index = json.loads((tmp_path / "mds/index.json").read_bytes())
    assert index["version"] == 2
    assert len(index["shards"]) > 1
    found = []
    for shard in index["shards"]:
        raw = (tmp_path / "mds" / shard["raw_data"]["basename"]).read_bytes()
        assert len(raw) == shard["raw_data"]["bytes"]
        (count,) = struct.unpack_from("<I", raw)
        assert count == shard["samples"]
        ends = np.frombuffer(raw, "<u4", count + 1, 4)
        dtype = shard["column_encodings"][0].partition(":")[2]
        for start, end in itertools.pairwise(ends.tolist()):
            (size,) = struct.unpack_from("<I", raw, start)
            assert size == end - start - 4
            head = 2 if raw[start + 4] & 3 == 0 else 3
            found.append(np.frombuffer(raw[start + 4 + head : end], dtype).tolist())
    assert found == expected(data)


def test_mds_by_streaming(data, tmp_path):
    reader = pytest.importorskip("streaming.base.format.mds.reader")
    export.mds(blocks(data), tmp_path / "mds", shard_bytes=300)
    shards = json.loads((tmp_path / "mds/index.json").read_bytes())["shards"]
    readers = [reader.MDSReader.from_json(str(tmp_path / "mds"), "", shard) for shard in shards]
    found = [each[number]["tokens"].tolist() for each in readers for number in range(each.samples)]
    assert found == expected(data)


def test_nothing_to_export_is_said(tmp_path):
    with pytest.raises(ConfigError, match="no documents"):
        export.megatron(iter([]), tmp_path / "out")
