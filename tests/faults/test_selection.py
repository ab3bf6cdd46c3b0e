"""A run over records that a column index selects: the same documents as from whole files, and only their bytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tamis
from tamis.warc.reader import Reader

LANGUAGES = {"fra": "fra_Latn", "jpn": "jpn_Jpan"}


@pytest.fixture(scope="module")
def crawl(miniweb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini web's files under `crawl-data/`, and an index of their responses as Common Crawl writes it."""
    root = tmp_path_factory.mktemp("cc")
    (root / "crawl-data").mkdir()
    rows = []
    for path in sorted(miniweb.parent.glob("*.warc.gz")):
        data = path.read_bytes()
        (root / "crawl-data" / path.name).write_bytes(data)
        records = list(Reader(path.open("rb")))
        ends = [*(record.offset for record in records[1:]), len(data)]
        for record, end in zip(records, ends, strict=True):
            if record.type == "response":
                # Which pages are in which language does not matter here; that only some are chosen does.
                code = ("fra", "jpn", "eng")[len(rows) % 3]
                row = {"url": record.url, "fetch_status": record.status, "content_mime_detected": record.mime}
                row |= {"content_languages": code, "warc_filename": f"crawl-data/{path.name}"}
                rows.append(row | {"warc_record_offset": record.offset, "warc_record_length": end - record.offset})
    (root / "index").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), root / "index" / "part-00000.parquet", row_group_size=20)
    return root


def select(index: Path, output: Path, *options: str) -> str:
    command = [sys.executable, "-m", "tamis", "select", str(index), str(output), *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def texts(output: Path) -> dict[str, str]:
    rows = [row for path in sorted(output.glob("documents/*.parquet")) for row in pq.read_table(path).to_pylist()]
    return {row["id"]: row["text"] for row in rows}


@pytest.fixture(scope="module")
def wanted(crawl: Path, plain_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The documents of the chosen records, by id, from a run over the whole files without deduplication."""
    folder = tmp_path_factory.mktemp("whole")
    (crawl / "warc.paths").write_text(
        "".join(f"crawl-data/{p.name}\n" for p in sorted((crawl / "crawl-data").iterdir()))
    )
    recipe = folder / "whole.toml"
    recipe.write_text('name = "whole"\n')
    tamis.run(crawl / "warc.paths", folder / "out", recipe=recipe, executor="inline")
    index = pq.read_table(crawl / "index" / "part-00000.parquet").to_pylist()
    chosen = {
        f"{row['warc_filename']}:{row['warc_record_offset']}" for row in index if row["content_languages"] == "fra"
    }
    found = {ident: text for ident, text in texts(folder / "out").items() if ident in chosen}
    assert len(found) > 15
    return found


def test_ranges_over_http_give_the_documents_of_the_whole_files(
    crawl: Path, wanted: dict[str, str], fakecc: Any, tmp_path: Path
) -> None:
    said = select(crawl / "index", tmp_path / "fra.parquet", "--language", "fra", "--status", "200")
    assert "records of 3 files" in said
    server = fakecc(crawl, busy=0.3, cut=0.1)
    recipe = tmp_path / "ranges.toml"
    recipe.write_text('name = "ranges"\n')
    given = {"read.crawl_data": server.url, "read.unit_bytes": 60_000, "read.requests_per_second": 200}
    tamis.run(tmp_path / "fra.parquet", tmp_path / "out", recipe=recipe, executor="inline", overrides=given)
    assert texts(tmp_path / "out") == wanted
    asked = [entry for entry in server.log if entry[1] == "GET"]
    assert all(entry[3] for entry in asked)  # every one of them for a range
    # Running it again asks for nothing.
    before = len(server.log)
    tamis.run(tmp_path / "fra.parquet", tmp_path / "out", recipe=recipe, executor="inline", overrides=given)
    assert len(server.log) == before


def test_a_record_that_is_not_where_the_index_says_is_a_row(crawl: Path, fakecc: Any, tmp_path: Path) -> None:
    index = pq.read_table(crawl / "index" / "part-00000.parquet").to_pylist()[:4]
    index[1]["warc_record_offset"] += 3
    index[2]["warc_filename"] = "crawl-data/absent.warc.gz"
    index[3] |= {"warc_record_offset": 10**9}
    pq.write_table(pa.Table.from_pylist(index), tmp_path / "wrong.parquet")
    recipe = tmp_path / "ranges.toml"
    recipe.write_text('name = "ranges"\n')
    given = {"read.crawl_data": fakecc(crawl).url}
    tamis.run(tmp_path / "wrong.parquet", tmp_path / "out", recipe=recipe, executor="inline", overrides=given)
    dropped = [row for path in (tmp_path / "out").glob("dropped/*.parquet") for row in pq.read_table(path).to_pylist()]
    found = {row["id"]: row["reason"] for row in dropped if row["step"] == "read"}
    assert found[f"crawl-data/absent.warc.gz:{index[2]['warc_record_offset']}"] == "missing"
    assert found[f"{index[3]['warc_filename']}:{10**9}"] == "truncated"
    assert "damaged" in found.values()


@pytest.fixture
def bucket(s3: None) -> str:
    import boto3

    boto3.client("s3").create_bucket(Bucket="selected")
    return "selected"


def test_ranges_from_s3_and_a_report_of_a_run_that_lies_there(
    crawl: Path, wanted: dict[str, str], bucket: str, tmp_path: Path
) -> None:
    import boto3

    client = boto3.client("s3")
    for path in sorted((crawl / "crawl-data").iterdir()):
        client.upload_file(str(path), bucket, f"cc/crawl-data/{path.name}")
    client.upload_file(str(crawl / "index" / "part-00000.parquet"), bucket, "index/part-00000.parquet")
    said = select(f"s3://{bucket}/index/part-00000.parquet", tmp_path / "fra.parquet", "--language", "fra")  # type: ignore[arg-type]
    assert "records of 3 files" in said
    recipe = tmp_path / "ranges.toml"
    recipe.write_text('name = "ranges"\n')
    given = {"read.crawl_data": f"s3://{bucket}/cc"}
    output = f"s3://{bucket}/out"
    tamis.run(tmp_path / "fra.parquet", output, recipe=recipe, executor="inline", overrides=given)
    (tmp_path / "out").mkdir()
    for entry in client.list_objects_v2(Bucket=bucket, Prefix="out/documents/")["Contents"]:
        (tmp_path / "out" / "documents").mkdir(exist_ok=True)
        client.download_file(bucket, entry["Key"], str(tmp_path / entry["Key"]))
    assert texts(tmp_path / "out") == wanted
    for option, start in (("--csv", '"step",'), ("--json", "{")):
        command = [sys.executable, "-m", "tamis", "report", output, option]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(start)
