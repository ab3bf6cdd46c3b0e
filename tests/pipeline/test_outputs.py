"""What a run leaves opens in the readers people use, and the tokens say what the documents say."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import tamis
from tamis.pipeline.books import check
from tamis.pipeline.storage import Storage
from tamis.schema import DROPPED, LEDGER
from tamis.tokenize import load


@pytest.fixture(scope="module")
def output(miniweb: Path, plain_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs") / "out"
    tamis.run(miniweb, folder, recipe=plain_recipe, executor="inline", overrides={"tokenize.shard_tokens": 1500})
    return folder


def shards(output: Path) -> list[Path]:
    return sorted((output / "tokens").rglob("*.arrow"))


def test_decoding_the_tokens_gives_back_every_text(output: Path) -> None:
    encoder = load("default")
    texts = {
        row["id"]: row["text"] for path in (output / "documents").iterdir() for row in pq.read_table(path).to_pylist()
    }
    decoded = {}
    for path in shards(output):
        for row in pa.ipc.open_file(str(path)).read_all().to_pylist():
            assert row["input_ids"][-1] == encoder.eos_id
            decoded[row["id"]] = encoder.decode(row["input_ids"][:-1])
    assert decoded == texts


def test_a_token_row_leads_back_to_its_document(output: Path) -> None:
    units = sorted(path.name for path in (output / "documents").iterdir())
    for path in shards(output)[:5]:
        for row in pa.ipc.open_file(str(path)).read_all().to_pylist():
            table = pq.read_table(output / "documents" / units[row["file"]])
            assert table.slice(row["row"], 1)["id"].to_pylist() == [row["id"]]


def test_shards_open_in_every_reader(output: Path) -> None:
    polars = pytest.importorskip("polars")
    datasets = pytest.importorskip("datasets")
    folder = output / "tokens" / "eng_Latn"
    paths = sorted(str(path) for path in folder.glob("*.arrow"))
    assert len(paths) > 1
    rows = sum(pa.ipc.open_file(path).read_all().num_rows for path in paths)
    assert ds.dataset(paths, format="ipc").count_rows() == rows
    assert polars.scan_ipc(paths).collect().height == rows
    assert datasets.load_from_disk(str(folder)).num_rows == rows
    assert (
        datasets.load_dataset("arrow", data_files=paths, split="train", cache_dir=str(output.parent)).num_rows == rows
    )


def test_schemas_are_the_same_across_shards_and_have_no_32_bit_offsets(output: Path) -> None:
    schemas = {str(pa.ipc.open_file(str(path)).schema) for path in shards(output)}
    assert len(schemas) == 1
    written = [pq.read_schema(path) for name in ("documents", "dropped") for path in (output / name).iterdir()]
    written += [pa.ipc.open_file(str(path)).schema for path in shards(output)]
    for schema in written:
        for field in schema:
            assert not pa.types.is_string(field.type), field
            assert not pa.types.is_binary(field.type), field
            assert not pa.types.is_list(field.type), field


def test_schemas_are_the_same_after_resuming_and_where_the_first_thousand_documents_have_no_metadata(
    tmp_path: Path,
) -> None:
    crawl, output = tmp_path / "in", tmp_path / "out"
    crawl.mkdir()
    bare = [{"id": f"a{number}", "text": f"Number {number} of the plain ones."} for number in range(1100)]
    told = {"url": "https://one.example/a", "date": "2026-02-03"}
    full = [{"id": f"b{number}", "text": f"Number {number} of the others."} | told for number in range(50)]
    recipe = tmp_path / "all.toml"
    recipe.write_text('name = "all"\n[tokenize]\nshard_tokens = 3000\n')
    for name, rows in (("a", bare), ("b", full)):
        (crawl / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
        tamis.run(crawl, output, recipe=recipe, executor="inline")
    documents = sorted((output / "documents").iterdir())
    assert len(documents) == 2
    tables = [pq.read_table(path) for path in documents]
    assert tables[0]["url"].null_count == tables[0].num_rows > 1000
    assert tables[1]["url"].null_count == 0 < tables[1].num_rows
    assert tables[0].schema.equals(tables[1].schema, check_metadata=True)
    written = [pa.ipc.open_file(str(path)).schema for path in shards(output)]
    assert len(written) > 1
    assert all(schema.equals(written[0]) for schema in written)


def test_shards_are_near_their_size(output: Path) -> None:
    for folder in sorted((output / "tokens").iterdir()):
        sizes = [
            sum(len(ids) - 1 for ids in pa.ipc.open_file(str(path)).read_all()["input_ids"].to_pylist())
            for path in sorted(folder.glob("*.arrow"))
        ]
        assert all(700 < size < 2600 for size in sizes[:-1]), sizes  # a document is up to a thousand tokens here


def test_the_tables_have_their_published_columns(output: Path) -> None:
    assert pq.read_schema(output / "ledger.parquet").equals(LEDGER)
    assert all(pq.read_schema(path).equals(DROPPED) for path in (output / "dropped").iterdir())
    documents = pq.read_schema(next((output / "documents").iterdir())).names
    for name in ("id", "url", "date", "language", "language_score", "text", "tokens", "bucket", "cluster_size"):
        assert name in documents
    lock = json.loads((output / "recipe.lock.json").read_text())
    assert lock["versions"]["tamis"] == tamis.__version__
    assert len(lock["models"]["tokenizer"]["sha256"]) == 64
    budget = json.loads((output / "report" / "budget.json").read_text())
    assert budget["languages"]


def test_documents_of_a_unit_are_sorted_by_language(output: Path) -> None:
    for path in (output / "documents").iterdir():
        languages = pq.read_table(path, columns=["language"])["language"].to_pylist()
        assert languages == sorted(languages)


def test_cluster_sizes_count_the_removed(output: Path) -> None:
    documents = pa.concat_tables([pq.read_table(path) for path in (output / "documents").iterdir()])
    removed = sum(pq.read_table(path).num_rows for path in (output / "dropped").glob("*-dedup.parquet"))
    assert sum(size - 1 for size in documents["cluster_size"].to_pylist()) == removed > 20


def test_samples_are_bounded_and_the_same_for_any_unit_size(output: Path) -> None:
    rows = pa.concat_tables([pq.read_table(path) for path in (output / "dropped").glob("*-dedup.parquet")]).to_pylist()
    assert all(len(row["sample"] or "") <= 1000 for row in rows)
    assert any(row["sample"] for row in rows)


def test_a_planted_bookkeeping_error_fails_the_run(
    miniweb: Path, plain_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tamis.errors import BooksError
    from tamis.pipeline import sift

    honest = sift.Sift._by_language

    def loses_one(self: sift.Sift, batch: pa.RecordBatch) -> pa.RecordBatch:
        return honest(self, batch).slice(1)

    monkeypatch.setattr(sift.Sift, "_by_language", loses_one)
    with pytest.raises(BooksError):
        tamis.run(miniweb, tmp_path / "out", recipe=plain_recipe, executor="inline")
    assert not (tmp_path / "out" / "ledger.parquet").exists()
    assert callable(check)


def test_a_changed_count_between_steps_fails_the_run(
    miniweb: Path, plain_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tamis.errors import BooksError
    from tamis.tokenize.encode import Encoder

    honest = Encoder.count
    monkeypatch.setattr(Encoder, "count", lambda self, texts: pa.compute.add(honest(self, texts), 1))
    with pytest.raises(BooksError, match="tokenize"):
        tamis.run(miniweb, tmp_path / "out", recipe=plain_recipe, executor="inline")
    assert not Storage(str(tmp_path / "out")).exists("ledger.parquet")
