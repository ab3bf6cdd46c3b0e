from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from tamis import cli
from tamis.errors import ConfigError, IncompleteError, InputError, OutputError, UnknownNameError
from tamis.filters import Chain, keep
from tamis.pipeline import dropfile, stage
from tamis.recipe import names
from tamis.schema import DROPPED

Command = Callable[..., tuple[int, str, str]]

ENGLISH = (
    "The ferry to the island leaves twice a day, and in winter the harbour master decides whether it sails at all. "
)
FRENCH = (
    "Le marché de la ville ouvre à sept heures, et les paysans des environs y vendent leurs fruits et leurs fromages. "
)
SHIPS = " ".join(f"Ship {n} lies at berth {n + 7}." for n in range(60))


@pytest.fixture
def tamis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line; returns its exit code, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tamis", *(str(argument) for argument in arguments)])
        with pytest.raises(SystemExit) as exit:
            cli.main()
        captured = capsys.readouterr()
        return int(exit.value.code or 0), captured.out, " ".join(captured.err.split())

    return call


def rows() -> list[dict[str, object]]:
    """Six documents, two of them duplicates of another, with columns that no stage knows."""
    texts = [ENGLISH * 4, FRENCH * 4, ENGLISH * 4, SHIPS, FRENCH * 4 + "Fin.", "Short."]
    urls = ["http://a.example/1", None, "http://a.example/3", None, None, "http://a.example/6"]
    return [
        {"id": f"d{n}", "url": url, "text": text, "tags": ["x", str(n)], "year": 2000 + n, "meta": {"k": n}}
        for n, (text, url) in enumerate(zip(texts, urls, strict=True))
    ]


def jsonl(documents: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in documents).encode()


def write(folder: Path, name: str, documents: list[dict[str, object]] | None = None) -> Path:
    """Write documents in the format the name says."""
    path, data = folder / name, jsonl(rows() if documents is None else documents)
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows() if documents is None else documents), path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(data, mtime=0))
    elif name.endswith(".zst"):
        path.write_bytes(zstandard.compress(data))
    else:
        path.write_bytes(data)
    return path


def read(path: Path) -> list[dict[str, object]]:
    """Read documents back from any format a stage writes."""
    data = b"" if path.suffix == ".parquet" else path.read_bytes()
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    elif path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
    return [json.loads(line) for line in data.decode().splitlines()]


def wet(path: Path) -> Path:
    """Write two conversion records."""
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for number, text in enumerate((ENGLISH * 5, FRENCH * 5)):
            headers = {"WARC-Date": "2024-03-01T00:00:00Z", "Content-Type": "text/plain"}
            payload = io.BytesIO(text.encode())
            url = f"http://w.example/{number}"
            record = writer.create_warc_record(url, "conversion", payload=payload, warc_headers_dict=headers)
            writer.write_record(record)
    return path


def warc(path: Path) -> Path:
    """Write one page and its request."""
    body = "".join(f"<p>{ENGLISH}{n}</p>" for n in range(8))
    page = f"<html lang=en><head><title>Ferries</title></head><body><article>{body}</article></body></html>".encode()
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for kind, line in (("request", "GET / HTTP/1.1"), ("response", "200 OK")):
            http = StatusAndHeaders(line, [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            payload = io.BytesIO(page if kind == "response" else b"")
            record = writer.create_warc_record("http://p.example/", kind, payload=payload, http_headers=http)
            writer.write_record(record)
    return path


LANGUAGE_COLUMNS = ("language", "language_score", "language_share", "rival_language", "rival_score",
                    "second_language", "second_share", "cantonese_share")  # fmt: skip
INPUTS = ["in.parquet", "in.jsonl", "in.jsonl.gz", "in.jsonl.zst"]
OUTPUTS = ["out.parquet", "out.jsonl", "out.jsonl.gz", "out.jsonl.zst"]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("source", INPUTS)
def test_langid_carries_every_column(tmp_path: Path, source: str, output: str, tamis: Command) -> None:
    code, out, _ = tamis("langid", write(tmp_path, source), tmp_path / output)
    found = read(tmp_path / output)
    assert code == 0
    assert "6 documents" in out
    for before, after in zip(rows(), found, strict=True):
        assert 0 <= after["language_score"] <= 1  # type: ignore[operator]
        after = {name: value for name, value in after.items() if name not in LANGUAGE_COLUMNS}
        assert {"url": None} | after == before
    assert pq.read_table(tmp_path / "out.dropped.parquet").num_rows == 0


def test_langid_keeps_the_languages_asked_for(tmp_path: Path, tamis: Command) -> None:
    source = write(tmp_path, "in.jsonl", [row | {"language": "old", "language_score": "old"} for row in rows()])
    assert tamis("langid", source, tmp_path / "out.jsonl", "--keep", "French", "--min-score", "0.5")[0] == 0
    found = read(tmp_path / "out.jsonl")
    assert [row["id"] for row in found] == ["d1", "d4"]
    assert {row["language"] for row in found} == {"fra_Latn"}
    dropped = pq.read_table(tmp_path / "out.dropped.parquet")
    assert dropped.schema.names == DROPPED.names
    assert set(dropped["reason"].to_pylist()) == {"language"}
    assert sorted(dropped["id"].to_pylist()) == ["d0", "d2", "d3", "d5"]


def test_filter_by_rules(tmp_path: Path) -> None:
    chain = Chain(keep("chars", at_least=200, at_most=600), name="length")
    report = stage.filter(write(tmp_path, "in.parquet"), tmp_path / "out.parquet", chains=[chain])
    assert [row["id"] for row in read(tmp_path / "out.parquet")] == ["d0", "d1", "d2", "d4"]
    assert (report.kept, report.problems) == (4, ())
    dropped = {row["id"]: row for row in pq.read_table(report.dropped).to_pylist()}
    short = dropped["d5"]
    facts = (short["step"], short["reason"], short["value"], short["threshold"], short["sample"], short["url"])
    assert facts == ("length", "chars", 6.0, 200.0, "Short.", "http://a.example/6")
    assert short["tokens"] > 0
    assert dropped["d3"]["threshold"] == 600.0
    taken, kept = (report.ledger.total("length", outcome) for outcome in ("in", "kept"))
    lost = report.ledger.total("length", "dropped")
    assert taken == kept + lost
    assert (lost.documents, lost.tokens) == (2, sum(row["tokens"] for row in dropped.values()))


def test_filter_goes_by_the_language_stated(tmp_path: Path) -> None:
    from tamis import PerLanguage

    documents = [row | {"language": "fr" if "marché" in str(row["text"]) else None} for row in rows()]
    chain = Chain(keep("chars", at_least=PerLanguage(0, {"fra_Latn": 10_000})))
    stage.filter(write(tmp_path, "in.jsonl", documents), tmp_path / "out.jsonl", chains=[chain])
    found = read(tmp_path / "out.jsonl")
    assert [row["id"] for row in found] == ["d0", "d2", "d3", "d5"]
    assert found[0]["language"] is None  # as the input had it
    languages = pq.read_table(tmp_path / "out.dropped.parquet")["language"].to_pylist()
    assert languages == ["fra_Latn", "fra_Latn"]


def test_filter_by_recipe(tmp_path: Path, tamis: Command) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[[filters]]\nkeep = "chars"\nat_least = 100\n\n[[filters]]\nkeep = "tokens"\nat_most = 1\n')
    code, out, _ = tamis("filter", write(tmp_path, "in.jsonl"), tmp_path / "out.jsonl.gz", "--recipe", recipe)
    assert code == 0
    assert "0 documents" in out
    assert read(tmp_path / "out.jsonl.gz") == []
    assert pq.read_table(tmp_path / "out.dropped.parquet")["step"].to_pylist() == ["chars"] + ["tokens"] * 5


def test_filter_by_family(tmp_path: Path, tamis: Command) -> None:
    code, out, _ = tamis("filter", write(tmp_path, "in.jsonl"), tmp_path / "out.jsonl", "--chain", "gopher_quality")
    assert code == 0
    assert "gopher_quality" in out
    assert "d5" not in [row["id"] for row in read(tmp_path / "out.jsonl")]


@pytest.mark.parametrize("output", ["out.parquet", "out.jsonl.zst"])
def test_dedup(tmp_path: Path, output: str, tamis: Command) -> None:
    source = write(tmp_path, "in.jsonl")
    code, out, _ = tamis("dedup", source, tmp_path / output, "--threshold", "0.7", "--memory", "64MB")
    assert code == 0
    assert "exact_duplicate" in out
    found = read(tmp_path / output)
    assert [row["id"] for row in found] == ["d0", "d1", "d3", "d5"]
    assert [row["cluster_size"] for row in found] == [2, 2, 1, 1]
    assert found[1]["tags"] == ["x", "1"]
    dropped = pq.read_table(tmp_path / "out.dropped.parquet").to_pylist()
    assert [(row["id"], row["reason"], row["kept_id"]) for row in dropped] == [
        ("d2", "exact_duplicate", "d0"),
        ("d4", "near_duplicate", "d1"),
    ]
    assert dropped[0]["similarity"] == 1
    assert 0.7 <= dropped[1]["similarity"] < 1
    assert not list(tmp_path.glob(".tamis-*"))


def test_dedup_scope(tmp_path: Path) -> None:
    documents = [{"id": str(n), "text": ENGLISH * 4, "language": code} for n, code in enumerate(("en", "fr", "en"))]
    source = write(tmp_path, "in.parquet", documents)
    assert stage.dedup(source, tmp_path / "within.parquet").kept == 2
    assert stage.dedup(source, tmp_path / "across.parquet", scope="global").kept == 1


def test_tokenize(tmp_path: Path, tamis: Command) -> None:
    source = write(
        tmp_path, "in.jsonl", [row | {"language": "fra_Latn" if n % 2 else "en"} for n, row in enumerate(rows())]
    )
    code, out, _ = tamis("tokenize", source, tmp_path / "tok", "--shard-tokens", "100")
    assert code == 0
    assert "6 documents" in out
    assert sorted(path.name for path in (tmp_path / "tok").iterdir()) == ["dropped.parquet", "eng_Latn", "fra_Latn"]
    from tamis.tokenize import load

    encoder, texts = load(), {}
    for path in sorted((tmp_path / "tok").glob("*/*.arrow")):
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        assert table.num_rows > 0
        texts |= dict(zip(table["id"].to_pylist(), table["input_ids"].to_pylist(), strict=True))
    assert {name: encoder.decode(ids[:-1]) for name, ids in texts.items()} == {r["id"]: r["text"] for r in rows()}
    assert {ids[-1] for ids in texts.values()} == {encoder.eos_id}
    state = json.loads((tmp_path / "tok" / "eng_Latn" / "state.json").read_text())
    names = [each["filename"] for each in state["_data_files"]]
    assert names == [f"{n:05d}.arrow" for n in range(len(names))]
    assert len(names) > 1


def test_tokenized_folder_opens_with_datasets(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    stage.tokenize(write(tmp_path, "in.parquet"), tmp_path / "tok")
    assert datasets.load_from_disk(str(tmp_path / "tok" / "und")).num_rows == 6


def test_extract(tmp_path: Path, tamis: Command) -> None:
    code, out, _ = tamis("extract", warc(tmp_path / "a.warc.gz"), wet(tmp_path / "b.wet.gz"), tmp_path / "out.parquet")
    assert code == 0
    assert "3 documents" in out
    found = read(tmp_path / "out.parquet")
    assert [row["language"] for row in found] == ["eng_Latn", "eng_Latn", "fra_Latn"]
    assert (found[0]["title"], found[0]["url"]) == ("Ferries", "http://p.example/")
    assert found[1]["date"] == "2024-03-01T00:00:00Z"
    assert ENGLISH.strip() in str(found[0]["text"])


def test_extract_passes_over_ready_made_text(tmp_path: Path, tamis: Command) -> None:
    wet(tmp_path / "b.wet.gz")
    write(tmp_path, "a.jsonl")
    code, _, err = tamis("extract", tmp_path, tmp_path / "out.jsonl")
    assert (code, len(read(tmp_path / "out.jsonl"))) == (IncompleteError.exit_code, 2)
    assert "a.jsonl: is text already" in err


@pytest.mark.parametrize("name", ["langid", "filter", "dedup", "tokenize"])
def test_wet_and_warc_into_any_stage(tmp_path: Path, name: str, tamis: Command) -> None:
    wet(tmp_path / "b.wet.gz")
    warc(tmp_path / "a.warc.gz")
    (tmp_path / "keep.toml").write_text('[[filters]]\nkeep = "chars"\nat_least = 1\n')
    options = ["--recipe", tmp_path / "keep.toml"] if name == "filter" else []
    output = tmp_path / ("out" if name == "tokenize" else "out.jsonl")
    code, out, _ = tamis(name, tmp_path / "*.gz", output, *options)
    assert code == 0
    assert "3 documents" in out
    if name == "tokenize":
        assert sorted(path.name for path in output.iterdir()) == ["dropped.parquet", "eng_Latn", "fra_Latn"]
    else:
        assert [row["language"] for row in read(output)] == ["eng_Latn", "eng_Latn", "fra_Latn"]


def test_folder_glob_list_and_plain_text(tmp_path: Path, tamis: Command) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder, "a.parquet")
    write(folder, "b.jsonl")
    (folder / "c.txt").write_text(ENGLISH * 3)
    (tmp_path / "list").write_text("in/a.parquet\nin/c.txt\n")
    for number, (given, count) in enumerate((("in", 13), ("in/*.jsonl", 6), ("list", 7))):
        for suffix in (".parquet", ".jsonl"):
            output = tmp_path / f"out{number}{suffix}"
            assert tamis("langid", tmp_path / given, output)[0] == 0
            found = read(output)
            assert len(found) == count
            assert all(row["id"] for row in found)
    mixed = {row["id"]: row for row in read(tmp_path / "out0.parquet")}
    assert mixed["d1"]["meta"] == {"k": 1}
    assert mixed[f"{folder}/c.txt:0"]["year"] is None


def test_columns_that_disagree_become_text(tmp_path: Path) -> None:
    documents = [
        {"text": ENGLISH, "mixed": 1, "number": 1, "empty": {}, "none": None, "huge": 1 << 80},
        {"text": FRENCH, "mixed": "two", "number": 2.5, "empty": {}, "lone": "\ud800"},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in documents))
    stage.langid(path, tmp_path / "out.parquet")
    found = read(tmp_path / "out.parquet")
    assert [row["mixed"] for row in found] == ["1", "two"]
    assert [row["number"] for row in found] == [1.0, 2.5]
    assert [row["empty"] for row in found] == ["{}", "{}"]
    assert [row["huge"] for row in found] == [str(1 << 80), None]
    assert [row["lone"] for row in found] == [None, "\ufffd"]
    assert [row["id"] for row in found] == [f"{path}:0", f"{path}:{len(json.dumps(documents[0])) + 1}"]
    stage.langid(path, tmp_path / "out.jsonl")
    kept = [
        {k: v for k, v in row.items() if k not in ("id", *LANGUAGE_COLUMNS)} for row in read(tmp_path / "out.jsonl")
    ]
    assert kept == [documents[0], documents[1] | {"lone": "\ufffd"}]


def test_typed_columns_survive_parquet_and_reach_json(tmp_path: Path) -> None:
    import datetime

    table = pa.table(
        {
            "content": [ENGLISH, None, FRENCH],
            "when": pa.array([datetime.datetime(2024, 1, 2)] * 3, pa.timestamp("us")),
            "share": pa.array([1.5, 2.5, float("nan")]),
            "raw": pa.array([b"\xff", b"", None], pa.binary()),
            "tokens": pa.array([[1, 2], [], None], pa.list_(pa.int32())),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    stage.langid(tmp_path / "in.parquet", tmp_path / "out.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    names = ["when", "share", "raw", "tokens", "kind"]
    for name in names:
        assert found.schema.field(name).type == table.schema.field(name).type
    assert (
        found.select(names[:1] + names[2:]).to_pylist() == table.select(names[:1] + names[2:]).take([0, 2]).to_pylist()
    )
    assert pq.read_table(tmp_path / "out.dropped.parquet")["reason"].to_pylist() == ["no_text"]
    stage.langid(tmp_path / "in.parquet", tmp_path / "out.jsonl")
    first, last = read(tmp_path / "out.jsonl")
    assert (first["when"], first["raw"], first["tokens"]) == ("2024-01-02T00:00:00", "/w==", [1, 2])
    assert last["share"] is None


@pytest.mark.parametrize("output", OUTPUTS)
def test_same_bytes_twice(tmp_path: Path, output: str) -> None:
    source = write(tmp_path, "in.jsonl")
    for folder in ("one", "two"):
        stage.dedup(source, tmp_path / folder / output)
        stage.tokenize(source, tmp_path / folder / "tok")
    one, two = (
        {path.relative_to(tmp_path / folder): path.read_bytes() for path in (tmp_path / folder).rglob("*.*")}
        for folder in ("one", "two")
    )
    assert one == two
    assert len(one) == 6


def test_drops_are_written_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropfile, "HELD_ROWS", 2)
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"text": 1}\nnonsense\n' * 3 + jsonl(rows()))
    report = stage.filter(source, tmp_path / "out.jsonl", chains=[Chain(keep("chars", at_least=10_000))])
    file = pq.ParquetFile(report.dropped)
    assert file.metadata.num_rows == 12
    assert file.num_row_groups > 1
    totals = {reason: report.ledger.total("read", "dropped", reason=reason).documents for reason in ("no_text", "json")}
    assert totals == {"no_text": 3, "json": 3}


def test_incomplete_input(tmp_path: Path, tamis: Command) -> None:
    write(tmp_path, "a.jsonl")
    (tmp_path / "list").write_text("a.jsonl\nmissing.jsonl\n")
    code, _, err = tamis("langid", tmp_path / "list", tmp_path / "out.jsonl")
    assert code == IncompleteError.exit_code
    assert "missing.jsonl: not found" in err
    assert len(read(tmp_path / "out.jsonl")) == 6


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["langid", "none.jsonl", "out.jsonl"], InputError, "does not exist"),
        (["langid", "empty.jsonl", "out.jsonl"], InputError, "is empty"),
        (["langid", "in.jsonl", "out.csv"], ConfigError, "End it in one of .parquet"),
        (["langid", "in.jsonl", ".jsonl"], ConfigError, "names no format"),
        (["langid", "in.jsonl", "in.jsonl"], OutputError, "exists already"),
        (["langid", "in.jsonl", "in.jsonl", "--overwrite"], ConfigError, "both input and output"),
        (["langid", "in.jsonl", "folder.jsonl"], OutputError, "is a folder"),
        (["langid", "in.jsonl", "in.jsonl/out.jsonl"], OutputError, "cannot be written"),
        (["langid", "in.jsonl", "out.jsonl", "--text-field", "body"], InputError, "--text-field"),
        (["langid", "in.parquet", "out.parquet", "--text-field", "body"], InputError, "it has id, meta, tags"),
        (["langid", "in.parquet", "out.jsonl", "--text-field", "tags"], InputError, "not text"),
        (["tokenize", "in.parquet", "tok", "--text-field", "body"], InputError, "has no text column"),
        (["langid", "broken.parquet", "out.jsonl"], InputError, "damaged: 1"),
        (["langid", "broken.jsonl.gz", "out.jsonl"], InputError, "Nothing in the input is a document"),
        (["langid", "in.jsonl", "out.jsonl", "--keep", "frensh"], UnknownNameError, "Did you mean"),
        (["langid", "in.jsonl", "out.jsonl", "--min-score", "7"], ConfigError, "between 0 and 1"),
        (["langid", "in.jsonl", "out.jsonl", "--model", "nothing"], UnknownNameError, "default"),
        (["filter", "in.jsonl", "out.jsonl"], ConfigError, "--chain NAME"),
        (["filter", "in.jsonl", "out.jsonl", "--chain", "url_rulez"], UnknownNameError, "url_rules"),
        (["filter", "in.jsonl", "out.jsonl", "--recipe", "defalt"], UnknownNameError, "default"),
        (["dedup", "in.jsonl", "out.jsonl", "--threshold", "0"], ConfigError, "above 0"),
        (["dedup", "in.jsonl", "out.jsonl", "--scope", "globl"], UnknownNameError, "global"),
        (["dedup", "in.jsonl", "out.jsonl", "--memory", "much"], ConfigError, "not a size"),
        (["extract", "in.jsonl", "out.jsonl"], InputError, "is text already"),
        (["extract", "in.jsonl", "out.jsonl", "--extractor", "trafilatur"], UnknownNameError, "trafilatura"),
        (["tokenize", "in.jsonl", "in.parquet"], OutputError, "is a file"),
        (["tokenize", "in.jsonl", "folder.jsonl"], OutputError, "not empty"),
        (["tokenize", "in.jsonl", "folder.jsonl", "--overwrite"], OutputError, "did not write: mine"),
        (["tokenize", "in.jsonl", "tok", "--separator", "nul"], ConfigError, "none"),
    ],
)
def test_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tamis: Command, arguments: list[str], error: type, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "in.jsonl")
    write(tmp_path, "in.parquet")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    (tmp_path / "broken.jsonl.gz").write_bytes(gzip.compress(jsonl(rows()), mtime=0)[:40])
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "folder.jsonl" / "mine").touch()
    before = sorted(path.name for path in tmp_path.rglob("*"))
    code, _, err = tamis(*arguments)
    assert (code, says in err) == (error.exit_code, True), err
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_overwrite(tmp_path: Path, tamis: Command) -> None:
    source = write(tmp_path, "in.jsonl")
    for _ in range(2):
        assert tamis("langid", source, tmp_path / "out.jsonl", "--overwrite")[0] == 0
        assert tamis("tokenize", source, tmp_path / "tok", "--overwrite")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.dropped.parquet", "out.jsonl", "tok"]


def test_nothing_is_left_of_a_stage_that_failed(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl")
    pq.write_table(pa.table({"id": ["x"]}), tmp_path / "b.parquet")
    for work in (stage.langid, stage.dedup, stage.tokenize):
        with pytest.raises(InputError, match="no text column"):
            work(tmp_path, tmp_path / "out" / "x.jsonl")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_import_of_the_command_line_is_light() -> None:
    code = "import sys, tamis.cli; print(sorted({'numba', 'pyarrow', 'fasttext'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_filter_that_rewrites(tmp_path: Path, tamis: Command) -> None:
    lines = [f"The keeper of lighthouse number {n} writes a long letter home." for n in range(8)]
    documents = [{"id": "a", "text": "\n".join(["Menu", *lines]), "tags": ["kept"]}]
    source = write(tmp_path, "in.parquet", documents)
    code, out, _ = tamis("filter", source, tmp_path / "out.parquet", "--chain", "c4_quality", "--chain", "url_rules")
    assert code == 0
    assert "1 documents" in out
    (found,) = read(tmp_path / "out.parquet")
    assert (found["text"], found["tags"]) == ("\n".join(lines), ["kept"])


@pytest.mark.parametrize("recipe", names())
def test_filters_of_every_recipe(tmp_path: Path, recipe: str, tamis: Command) -> None:
    assert tamis("filter", write(tmp_path, "in.jsonl"), tmp_path / "out.parquet", "--recipe", recipe)[0] == 0
    dropped = pq.read_table(tmp_path / "out.dropped.parquet").num_rows
    assert dropped + len(read(tmp_path / "out.parquet")) == 6
