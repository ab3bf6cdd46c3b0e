"""Documents far wider than a batch pass one by one, one that is too wide is dropped, and memory follows neither."""

from __future__ import annotations

import gzip
import json
import resource

import pyarrow.parquet as pq

from tamis import tokens
from tamis.pipeline import stage
from tamis.tokenize import load
from tamis.warc import texts as reader

WIDTH, COUNT = 12_000_000, 6


def test_wide_documents_pass_and_one_too_wide_is_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_MAX_LINE", 2 * WIDTH)
    text = "The miller's river carries water past the stone house, and nobody counts it. "
    with gzip.open(tmp_path / "in.jsonl.gz", "wt", compresslevel=1, encoding="utf-8") as file:
        for number in range(COUNT):
            size = 3 * WIDTH if number == 2 else WIDTH
            file.write(json.dumps({"id": str(number), "text": text * (size // len(text))}) + "\n")
    load("default").count(["warm"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = stage.tokenize(tmp_path / "in.jsonl.gz", tmp_path / "out", shard_tokens=4_000_000)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert report.kept == COUNT - 1
    assert grown < 40 * WIDTH  # 480 MB, whatever their number: a dozen copies of one, ids of four bytes among them
    dropped = [row for path in (tmp_path / "out").rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert [row["reason"] for row in dropped] == ["too_large"]
    data = tokens.open(tmp_path / "out")
    assert [document.id.rpartition(":")[2] for document in data] == ["0", "1", "3", "4", "5"]
    assert load("default").decode(data[4].input_ids[:40]).startswith(text)
