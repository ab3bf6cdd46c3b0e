"""Comparing and training tokenizers, by function and by command."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tamis.cli import app
from tamis.errors import ConfigError, InputError
from tamis.tokenize import load
from tamis.tokenize.compare import costs, read_texts

TEXTS = {"eng_Latn": ["the cat", "a dog"], "tha_Thai": ["แมว", "หมา"]}


def test_costs_by_hand():
    encoder = load("default")
    found = costs(encoder, TEXTS | {"und": []})
    assert list(found) == ["eng_Latn", "tha_Thai"]
    english, thai = found.values()
    tokens = [sum(encoder.count(TEXTS[code]).to_pylist()) for code in found]
    assert (english.tokens, thai.tokens) == tuple(tokens)
    assert (english.words, english.texts, english.premium) == (4, 2, 1.0)
    assert thai.premium == tokens[1] / tokens[0]
    assert thai.bytes_per_token == 18 / tokens[1]
    assert costs(encoder, {"tha": ["แมว"]})["tha"].premium is None


@pytest.fixture(params=["parquet", "jsonl", "jsonl.gz", "tsv", "tsv.gz"])
def file(request, tmp_path):
    path = tmp_path / f"texts.{request.param}"
    rows = [(code, text) for code, texts in TEXTS.items() for text in texts]
    if request.param == "parquet":
        pq.write_table(pa.table({"language": [row[0] for row in rows], "text": [row[1] for row in rows]}), path)
        return path
    if "tsv" in request.param:
        content = "\n".join(["language\ttext", *("\t".join(row) for row in rows)])
    else:
        content = "\n".join(json.dumps({"language": code, "text": text}) for code, text in rows)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def test_texts_are_read_from_each_format(file):
    assert read_texts(file) == TEXTS
    assert read_texts(file, limit=1) == {code: texts[:1] for code, texts in TEXTS.items()}
    with pytest.raises(ConfigError, match="Unknown column 'txt'"):
        read_texts(file, text="txt")


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(InputError, match="Cannot read"):
        read_texts(tmp_path / "none.jsonl")


def test_the_commands(tmp_path, samples):
    path = tmp_path / "texts.jsonl"
    rows = [{"language": code, "text": text * 3} for code, text in samples.SENTENCES.items()]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    out = str(tmp_path / "made")
    trained = CliRunner().invoke(app, ["train", "tokenizer", str(path), out, "--vocab", "600"])
    assert trained.exit_code == 0, trained.output
    assert "600 tokens" in trained.output
    again = CliRunner().invoke(app, ["train", "tokenizer", str(path), out, "--vocab", "600"])
    assert isinstance(again.exception, ConfigError)
    weighed = ["train", "tokenizer", str(path), str(tmp_path / "uni"), "--vocab", "280", "--model", "unigram",
               "--weight", "eng_Latn=2", "--weight", "fra_Latn=1"]  # fmt: skip
    trained = CliRunner().invoke(app, weighed)
    assert trained.exit_code == 0, trained.output
    assert "280 tokens, unigram" in trained.output
    wrong = CliRunner().invoke(app, [*weighed, "--overwrite", "--weight", "eng_Latn"])
    assert isinstance(wrong.exception, ConfigError)
    shown = CliRunner().invoke(app, ["tokenizers", "compare", str(path), "default", out])
    assert shown.exit_code == 0, shown.output
    line = next(line for line in shown.output.splitlines() if "eng_Latn" in line)
    assert line.count("1.00x") == 2
