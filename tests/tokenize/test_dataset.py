"""Shards: exact separators, one schema, bytes that do not depend on batches, and every reader opens them."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from tamis import tokens
from tamis.errors import BooksError, ConfigError, ModelError
from tamis.pipeline import stage
from tamis.tokenize import bpe, dataset, dataset_files, load, separator, write_shard
from tamis.tokenize.dataset import ShardWriter, recount, shard_schema
from tamis.tokenize.definition import read
from tamis.tokenize.encode import Encoder
from tamis.tokenize.separate import Separator


def batch(texts, language="eng_Latn", **more):
    names = [f"a.warc.gz:{place}" for place in range(len(texts))]
    columns = {"id": names, "language": [language] * len(texts), "text": texts}
    arrays = {name: pa.array(values, pa.large_string()) for name, values in columns.items()}
    return pa.record_batch(arrays | more)


def shard(batches, encoder, policy="eos"):
    sink = io.BytesIO()
    summary = write_shard(sink, iter(batches), encoder, policy)
    return sink.getvalue(), summary


def rows(data):
    return pa.ipc.open_file(pa.BufferReader(data)).read_all()


@pytest.fixture
def folder(samples, tmp_path):
    encoder = load("default")
    data, summary = shard([batch(samples.TEXTS)], encoder)
    shards = [("00000.arrow", summary), ("00001.arrow", summary)]
    for name, _ in shards:
        (tmp_path / name).write_bytes(data)
    for name, content in dataset_files("eng_Latn", shards, encoder).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture(scope="module")
def tokenizers(samples, tmp_path_factory):
    """Return G3's matrix: tokenizers by what they declare."""
    home = tmp_path_factory.mktemp("tokenizers")
    made = {
        "no eos": samples.byte_level(800, ("<|x|>",)),
        "eos only": samples.byte_level(800),
        "bos and eos by template": samples.bos_eos(),
        "custom": samples.byte_level(800, ("<|doc|>", "<|endoftext|>")),
        "eos is pad": samples.byte_level(800, ("<|endoftext|>",)),
        "sentencepiece": samples.unigram(),
    }
    made["eos is pad"].enable_padding(pad_id=0, pad_token="<|endoftext|>")
    for name, tokenizer in made.items():
        samples.saved(tokenizer, home / f"{name}.json")
    return {name: load(str(home / f"{name}.json")) for name in made}


POLICIES = [
    ("eos only", "eos", {}, 1),
    ("bos and eos by template", "both", {}, 2),
    ("bos and eos by template", "bos", {}, 1),
    ("bos and eos by template", "eos", {}, 1),
    ("custom", "eos", {"eos": "<|doc|>"}, 1),
    ("custom", "both", {"bos": "<|doc|>", "eos": "<|doc|>"}, 2),
    ("eos is pad", "eos", {}, 1),
    ("sentencepiece", "both", {}, 2),
    ("no eos", "none", {}, 0),
]


@pytest.mark.parametrize(("name", "policy", "named", "each"), POLICIES)
def test_exactly_the_separators_asked_for(samples, tokenizers, name, policy, named, each):
    encoder = tokenizers[name]
    marks = separator(encoder, policy, **named)
    texts = [*samples.TEXTS, "", None, "<|endoftext|></s><s><|doc|>", "<|endoftext|>"]
    data, summary = shard([batch(texts)], encoder, marks)
    ids = rows(data).column("input_ids").to_pylist()
    assert (summary.documents, summary.separators) == (len(texts), each * len(texts))
    assert marks.count(np.concatenate([np.array(part) for part in ids])) == summary.separators
    plain = encoder.encode(texts).to_pylist()
    before = [] if marks.before is None else [marks.before]
    after = [] if marks.after is None else [marks.after]
    assert ids == [[*before, *part, *after] for part in plain]
    assert summary.tokens == sum(map(len, plain))
    assert recount(pa.BufferReader(data)) == summary


def test_a_policy_the_tokenizer_cannot_serve_is_refused(tokenizers):
    with pytest.raises(ConfigError, match="declares no eos"):
        separator(tokenizers["no eos"], "eos")
    with pytest.raises(ConfigError, match="declares no bos"):
        separator(tokenizers["eos only"], "both")
    with pytest.raises(ConfigError, match="Unknown separator 'eso'"):
        separator(tokenizers["eos only"], "eso")
    with pytest.raises(ModelError, match="no special token"):  # an ordinary token occurs inside documents
        separator(tokenizers["eos only"], "eos", eos="the")


def test_a_planted_separator_fails_the_books():
    policy = Separator(None, 7)
    with pytest.raises(BooksError, match="3 separators for 2 documents"):
        policy.apply(np.array([2, 1]), np.array([7, 1, 2], np.uint16))


def test_decoding_gives_the_documents_back(folder, samples):
    table = rows((folder / "00001.arrow").read_bytes())
    encoder = load("default")
    assert [encoder.decode(ids[:-1]) for ids in table.column("input_ids").to_pylist()] == samples.TEXTS
    assert table.column("id").to_pylist()[:2] == ["a.warc.gz:0", "a.warc.gz:1"]
    assert table.column("chars").to_pylist() == [len(text) for text in samples.TEXTS]


@pytest.mark.parametrize("rows_each", [1, 7, 1000])
def test_bytes_do_not_depend_on_the_batches(samples, monkeypatch, rows_each):
    monkeypatch.setattr(dataset, "BATCH_TOKENS", 2000)
    monkeypatch.setattr(dataset, "BATCH_ROWS", 20)
    encoder = load("default")
    whole = batch([text * (place % 5) for place, text in enumerate(samples.TEXTS * 6)])
    data, summary = shard([whole], encoder)
    parts = [whole.slice(start, rows_each) for start in range(0, whole.num_rows, rows_each)]
    assert shard(parts, encoder) == (data, summary)
    reader = pa.ipc.open_file(pa.BufferReader(data))
    assert reader.num_record_batches > 4
    sizes = [reader.get_batch(place) for place in range(reader.num_record_batches)]
    assert all(part.num_rows <= 20 for part in sizes)
    assert all(len(part.column("input_ids")[:-1].flatten()) < 2000 for part in sizes)


def test_no_offset_is_32_bits_wide_and_the_schema_is_one():
    encoder = load("default")
    first, second = (rows(shard(part, encoder)[0]).schema for part in ([], [batch([None]), batch(["a"])]))
    assert first.equals(second, check_metadata=True)
    assert first.equals(shard_schema(encoder, separator(encoder)), check_metadata=True)
    narrow = (pa.types.is_string, pa.types.is_binary, pa.types.is_list)
    assert not any(check(field.type) for field in first for check in narrow)


def test_shards_of_a_stream_are_full_but_the_last(tmp_path):
    """Within 1 % of what was asked for, however the input is cut, and one schema though the first know nothing more."""
    rows_ = [{"id": str(n), "text": f"Document {n} says little."} | ({"url": "https://a.example"} if n > 999 else {})
             for n in range(3000)]  # fmt: skip
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows_)), "utf-8")
    pq.write_table(pa.Table.from_pylist(rows_), tmp_path / "in.parquet", row_group_size=77)
    found = {}
    for name in ("in.jsonl", "in.parquet"):
        stage.tokenize(str(tmp_path / name), tmp_path / f"{name}.out", shard_tokens=3000)
        files = sorted((tmp_path / f"{name}.out").glob("*/*.arrow"))
        assert len({rows(file.read_bytes()).schema.to_string(show_schema_metadata=True) for file in files}) == 1
        found[name] = [recount(str(file)).tokens for file in files]
    assert found["in.jsonl"] == found["in.parquet"]
    assert len(found["in.jsonl"]) > 5
    assert all(abs(size - 3000) <= 30 for size in found["in.jsonl"][:-1])


def test_where_a_document_stands_is_kept_when_told():
    encoder = load("default")
    told = batch(["a", "b"], file=pa.array([3, 3], pa.int32()), row=pa.array([8, 9]))
    table = rows(shard([told, batch(["c"])], encoder)[0])
    assert table.column("file").to_pylist() == [3, 3, None]
    assert table.column("row").to_pylist() == [8, 9, None]


def test_every_reader_opens_it(folder, samples):
    polars, datasets = pytest.importorskip("polars"), pytest.importorskip("datasets")
    files, count = [str(folder / name) for name in ("00000.arrow", "00001.arrow")], len(samples.TEXTS)
    first = rows((folder / "00000.arrow").read_bytes())
    assert pa.ipc.open_stream(pa.memory_map(files[0])).read_all().equals(first)
    assert pyarrow.dataset.dataset(files, format="ipc").count_rows() == 2 * count
    assert polars.scan_ipc(files).collect().height == 2 * count
    assert polars.read_ipc(files[0])["input_ids"].to_list() == first.column("input_ids").to_pylist()
    loaded = datasets.load_from_disk(str(folder))
    assert len(loaded) == 2 * count
    assert loaded.features == datasets.Features.from_arrow_schema(first.schema)
    assert loaded[count]["input_ids"] == first.column("input_ids")[0].as_py()
    assert len(datasets.Dataset.from_file(files[0])) == count
    by_arrow = datasets.load_dataset("arrow", data_files=files, cache_dir=str(folder / "cache"), split="train")
    assert by_arrow[-1]["id"] == first.column("id")[-1].as_py()


def test_an_empty_shard_opens_too(tmp_path):
    datasets = pytest.importorskip("datasets")
    encoder = load("default")
    data, summary = shard([], encoder)
    (tmp_path / "00000.arrow").write_bytes(data)
    for name, content in dataset_files("und", [("00000.arrow", summary)], encoder).items():
        (tmp_path / name).write_bytes(content)
    assert recount(str(tmp_path / "00000.arrow")) == summary
    assert len(datasets.load_from_disk(str(tmp_path))) == 0


def test_the_footer_names_where_each_batch_lies(samples, monkeypatch):
    monkeypatch.setattr(dataset, "BATCH_ROWS", 4)
    data, summary = shard([batch(samples.TEXTS)], load("default"))
    assert summary.bytes == len(data)
    assert data[:4] == b"\xff\xff\xff\xff"  # a stream from its first byte
    assert data[-6:] == b"ARROW1"
    (footer,) = struct.unpack_from("<i", data, len(data) - 10)
    assert 0 < footer < len(data)
    rows(data).validate(full=True)
    with pytest.raises(pa.ArrowInvalid):
        pa.ipc.open_file(pa.BufferReader(data[:-20]))


def test_state_says_what_the_shards_hold(folder):
    state = json.loads((folder / "state.json").read_bytes())
    found = [recount(str(folder / file["filename"])) for file in state["_data_files"]]
    assert [file["tokens"] for file in state["_data_files"]] == [summary.tokens for summary in found]
    assert [file["documents"] for file in state["_data_files"]] == [summary.documents for summary in found]


def test_a_difference_on_a_sampled_document_switches_this_shard(samples, monkeypatch, tmp_path):
    encoder = load(samples.saved(samples.byte_level(900), tmp_path / "tokenizer.json"))
    right, _ = shard([batch(samples.TEXTS)], encoder.by_reference())
    real = bpe.KernelEngine.encode
    monkeypatch.setattr(dataset, "_CHECK_EVERY", 1)
    monkeypatch.setattr(
        bpe.KernelEngine, "encode", lambda self, texts: (real(self, texts)[0], real(self, texts)[1] ^ 1)
    )
    data, summary = shard([batch(samples.TEXTS)], encoder)
    assert "differs" in summary.note
    assert data == right


def test_a_writer_streams(samples):
    sink, encoder = io.BytesIO(), load("default")
    writer = ShardWriter(sink, encoder, separator(encoder))
    for _ in range(3):
        writer.add(batch(samples.TEXTS))
    assert writer.close().documents == 3 * len(samples.TEXTS)
    assert not sink.closed


class Fixed:
    """An engine that gives every text the same ids."""

    name = "fixed"

    def __init__(self, ids):
        self.ids = np.array(ids, np.uint32)

    def count(self, texts):
        return np.full(len(texts), len(self.ids), np.int64)

    def encode(self, texts):
        return self.count(texts), np.tile(self.ids, len(texts))


@pytest.mark.parametrize("size", [65_535, 65_536, 262_144])
def test_the_greatest_ids_come_back_from_a_shard(samples, tmp_path, size):
    encoder = Encoder(read(Path(samples.saved(samples.byte_level(size), tmp_path / "tokenizer.json"))))
    ids = [number for number in (0, 65_534, 65_535, 65_536, size - 1) if number < size]
    encoder._engine = encoder._reference = Fixed(ids)
    with (tmp_path / "00000.arrow").open("wb") as sink:
        summary = write_shard(sink, iter([batch(["a", "b", "c"])]), encoder, "none")
    for name, content in dataset_files("und", [("00000.arrow", summary)], encoder).items():
        (tmp_path / name).write_bytes(content)
    for document in tokens.open(tmp_path):
        assert document.input_ids.tolist() == ids
        assert encoder.decode(document.input_ids.tolist()) == encoder.decode(ids)
