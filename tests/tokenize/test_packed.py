"""The commands on token folders: packed, shuffled and exported folders hold the ids they were made of."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tamis import tokens
from tamis.cli import app
from tamis.errors import ConfigError, InputError, OutputError
from tamis.tokenize.packed import pack


@pytest.fixture
def folder(made):
    return made({"eng_Latn": [60, 0, 45], "fra_Latn": [9]})


def command(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("how", ["none", "chunk", "best_fit"])
def test_packed_samples_hold_the_documents(folder, tmp_path, how):
    text = command("pack", folder, tmp_path / "out", "--length", 64, "--how", how, "--shard-tokens", 640)
    assert text.count("padding") == text.count("truncation") == 2  # a line for each language
    right = sorted(document.input_ids.tobytes() for document in tokens.open(folder / "eng_Latn"))
    data = tokens.open(tmp_path / "out/eng_Latn")
    assert {len(sample.input_ids) for sample in data} == {64}
    pieces = []
    for shard in sorted((tmp_path / "out/eng_Latn").glob("*.arrow")):
        for sample in _rows(shard):
            ends = sample["cu_seqlens"]
            ids = np.array(sample["input_ids"], np.uint16)
            assert not ids[ends[-1] :].any()  # the separator after documents, which is id 0
            pieces += [ids[a:b].tobytes() for a, b in itertools.pairwise(ends)]
    assert b"".join(sorted(pieces)) == b"".join(right) if how != "chunk" else True
    assert sum(map(len, pieces)) == sum(map(len, right))
    state = json.loads((tmp_path / "out/eng_Latn/state.json").read_bytes())
    assert state["packing"]["kept"] * 2 == sum(map(len, right))
    assert all(file["documents"] <= 10 for file in state["_data_files"])
    assert [sample.id for sample in data] == [f"sample:{number}" for number in range(len(data))]


def _rows(path):
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all().to_pylist()


def test_position_ids_start_again_with_each_document(folder, tmp_path):
    pack(folder / "eng_Latn", tmp_path / "out", 100, position_ids=True)
    for sample in _rows(tmp_path / "out/00000.arrow"):
        expected = [place for a, b in zip(sample["cu_seqlens"], [*sample["cu_seqlens"][1:], 100], strict=True)
                    for place in range(b - a)]  # fmt: skip
        assert sample["position_ids"] == expected[:100]


def test_a_packed_folder_opens_everywhere_and_shuffles(folder, tmp_path):
    command("pack", folder, tmp_path / "packed", "--length", 50)
    command("shuffle", tmp_path / "packed", tmp_path / "mixed", "--seed", 7)
    command("shuffle", tmp_path / "packed", tmp_path / "again", "--seed", 7, "--memory", "1MB")
    for name in ("eng_Latn", "fra_Latn"):
        one, two = tmp_path / "mixed" / name, tmp_path / "again" / name
        assert (one / "00000.arrow").read_bytes() == (two / "00000.arrow").read_bytes()
        before = {sample.id: sample.input_ids.tolist() for sample in tokens.open(tmp_path / "packed" / name)}
        assert {sample.id: sample.input_ids.tolist() for sample in tokens.open(one)} == before
        datasets = pytest.importorskip("datasets")
        assert len(datasets.load_from_disk(str(one))) == len(before)


@pytest.mark.parametrize(("to", "file"), [("megatron", "eng_Latn.idx"), ("datatrove", "eng_Latn.ds"),
                                          ("mds", "eng_Latn/index.json"),
                                          ("parquet", "eng_Latn/00002.parquet")])  # fmt: skip
def test_export_by_command(folder, tmp_path, to, file):
    assert "105 rows" in command("export", folder, tmp_path / "all", "--to", to)
    command("export", folder / "eng_Latn", tmp_path / "one", "--to", to)
    assert (tmp_path / "all" / file).read_bytes() == (tmp_path / "one" / file).read_bytes()
    with pytest.raises(OutputError, match="not empty"):
        command("export", folder, tmp_path / "all", "--to", to)


def test_parquet_holds_what_the_shards_hold(folder, tmp_path):
    command("export", folder, tmp_path / "out", "--to", "parquet")
    files = sorted((tmp_path / "out/eng_Latn").glob("*.parquet"))
    assert len(files) == 3
    assert all(pq.read_schema(file).equals(pq.read_schema(files[0]), check_metadata=True) for file in files)
    found = pa.concat_tables([pq.read_table(file) for file in files])
    assert found.schema.field("input_ids").type == pa.large_list(pa.uint16())
    right = [document.input_ids.tolist() for document in tokens.open(folder / "eng_Latn")]
    assert found.column("input_ids").to_pylist() == right
    pl = pytest.importorskip("polars")
    assert pl.read_parquet(tmp_path / "out/eng_Latn/*.parquet").height == 105


def test_what_cannot_be_packed_is_said(folder, tmp_path):
    with pytest.raises(InputError, match="no token dataset"):
        command("pack", tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(ConfigError, match="Unknown format"):
        command("export", folder, tmp_path / "out", "--to", "numpy")
    with pytest.raises(ConfigError, match="cannot hold"):
        pack(folder / "eng_Latn", tmp_path / "out", 8, pad_id=1 << 16)
    with pytest.raises(OutputError):
        pack(folder / "eng_Latn", folder / "eng_Latn", 8)
