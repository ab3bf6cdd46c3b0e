"""Shards by bucket: each bucket of a language is a dataset of its own, and nothing is lost or told twice."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis import recipe, run, tokens
from tamis.errors import ConfigError
from tamis.perplexity.training import Training, train
from tamis.tokenize.dataset import recount

pytest.importorskip("sentencepiece")
WORDS = ["old", "man", "young", "dog", "red", "bird", "small", "teacher", "garden", "river", "house", "village"]
TEXTS = [f"The {one} saw the {two} and went to the {three} every day." for one in WORDS for two in WORDS
         for three in WORDS[-3:]]  # fmt: skip


def test_a_run_writes_each_bucket_apart(tmp_path):
    train(TEXTS, tmp_path / "lm" / "eng.lm", "eng_Latn", training=Training(pieces=120))
    given = [
        *TEXTS[::7],
        " ".join(["zxq 9 kk"] * 30),
        *["Ja, das ist so. " * 9] * 2,
    ]
    lines = [json.dumps({"id": str(n), "text": text}) for n, text in enumerate(given)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), "utf-8")
    tables = {"perplexity": {"bundles": str(tmp_path / "lm")}, "tokenize": {"by_bucket": True, "shard_tokens": 300}}
    for at_once in (tables, tables | {"tokenize": {"shard_tokens": 300}}):
        run(tmp_path / "in.jsonl", tmp_path / "out", recipe=recipe.Recipe("x", at_once), executor="inline")
        rows = {}
        for path in (tmp_path / "out/documents").glob("*.parquet"):
            rows |= {row["id"]: row for row in pq.read_table(path).to_pylist()}
        data = tokens.open(tmp_path / "out/tokens")
        assert sorted(document.id for document in data) == sorted(rows)
        assert data.tokens == sum(row["tokens"] for row in rows.values())
    # The second run, without buckets, took the folders of the first away.
    assert not list((tmp_path / "out/tokens").glob("*/*/state.json"))
    run(tmp_path / "in.jsonl", tmp_path / "out", recipe=recipe.Recipe("x", tables), executor="inline")
    found = sorted(path.parent for path in (tmp_path / "out/tokens").rglob("state.json"))
    assert len({folder.name for folder in found if folder.parent.name == "eng_Latn"}) > 1
    for folder in found:
        state = json.loads((folder / "state.json").read_bytes())
        for file in state["_data_files"]:
            assert recount(str(folder / file["filename"])).tokens == file["tokens"]
            table = pa.ipc.open_file(pa.memory_map(str(folder / file["filename"]))).read_all()
            for row in table.select(["id", "language", "row"]).to_pylist():
                assert (rows[row["id"]]["bucket"] or "unscored") == folder.name
                assert row["language"] == folder.parent.name


def test_buckets_without_perplexity_are_refused():
    with pytest.raises(ConfigError, match="nothing makes buckets"):
        recipe.Recipe("x", {"tokenize": {"by_bucket": True}}).settings()
