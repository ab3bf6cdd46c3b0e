"""Planted bugs: whatever breaks the books between a text and its shard's bytes ends a run with an exit code."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tamis.cli import app
from tamis.errors import BooksError, TamisError
from tamis.tokenize import bpe, dataset, encode
from tamis.tokenize.ipc import ShardFile

TEXTS = [f"The miller's daughter number {number} counted her sacks, and then she went home." for number in range(30)]


def lost_row(monkeypatch):
    honest = ShardFile.write
    monkeypatch.setattr(ShardFile, "write", lambda self, batch: honest(self, batch.slice(1)))


def doubled_batch(monkeypatch):
    honest = ShardFile.write
    monkeypatch.setattr(ShardFile, "write", lambda self, batch: [honest(self, batch) for _ in range(2)])


def lost_separators(monkeypatch):
    monkeypatch.setattr(dataset.Separator, "apply", lambda self, lengths, ids: (lengths, ids))


def wrong_count(monkeypatch):
    honest = dataset.ShardWriter.close

    def close(self):
        self._tokens += 1
        return honest(self)

    monkeypatch.setattr(dataset.ShardWriter, "close", close)


def other_counts(monkeypatch):
    honest = encode.Encoder.count
    monkeypatch.setattr(encode.Encoder, "count", lambda self, texts: encode.pa.array(np.array(honest(self, texts)) + 1))


def separators_in_texts(monkeypatch):
    honest = bpe.KernelEngine.encode
    monkeypatch.setattr(bpe.KernelEngine, "encode", lambda self, texts: (honest(self, texts)[0],
                                                                         honest(self, texts)[1] * 0))  # fmt: skip


PLANTED = [lost_row, doubled_batch, lost_separators, wrong_count, separators_in_texts]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps({"id": str(n), "text": text}) for n, text in enumerate(TEXTS)), "utf-8")
    return path


@pytest.mark.parametrize("plant", [*PLANTED, other_counts], ids=lambda plant: plant.__name__)
def test_a_run_with_a_planted_bug_fails(source, tmp_path, monkeypatch, plant):
    plant(monkeypatch)
    words = ["run", str(source), str(tmp_path / "out"), "--executor", "inline", "--recipe", str(_recipe(tmp_path))]
    result = CliRunner().invoke(app, words)
    assert result.exit_code != 0
    assert isinstance(result.exception, TamisError), result.exception
    assert result.exception.exit_code != 0
    assert not (tmp_path / "out/ledger.parquet").exists()


def _recipe(home):
    path = home / "plain.toml"
    path.write_text('name = "plain"\n', "utf-8")
    return path


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_so_does_the_command_alone(source, tmp_path, monkeypatch, plant):
    plant(monkeypatch)
    result = CliRunner().invoke(app, ["tokenize", str(source), str(tmp_path / "out")])
    assert isinstance(result.exception, BooksError), result.exception
    assert not (tmp_path / "out").exists()


def test_without_one_it_is_published(source, tmp_path):
    result = CliRunner().invoke(app, ["tokenize", str(source), str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert list((tmp_path / "out").glob("*/state.json"))
