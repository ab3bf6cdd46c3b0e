"""The global shuffle: seeded, complete, the same for any memory, and a dataset like the one it came from."""

from __future__ import annotations

import json

import pytest

from tamis import tokens
from tamis.errors import InputError, OutputError
from tamis.tokenize import shuffle as module
from tamis.tokenize.dataset import recount
from tamis.tokenize.shuffle import shuffle


@pytest.fixture
def folder(made):
    return made({"eng_Latn": [60, 0, 45, 20]}) / "eng_Latn"


def names(path):
    return [document.id for document in tokens.open(path)]


def test_the_same_seed_gives_the_same_bytes_whatever_the_memory(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_TOKENS", 100)
    one = shuffle(folder, tmp_path / "a", seed=7)
    shuffle(folder, tmp_path / "b", seed=7)
    many = shuffle(folder, tmp_path / "c", seed=7, memory=4000)
    assert one == many | {}
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert names(tmp_path / "a") == names(tmp_path / "c")
    shuffle(folder, tmp_path / "d", seed=8)
    before = names(folder)
    assert before != names(tmp_path / "a") != names(tmp_path / "d")
    assert sorted(before) == sorted(names(tmp_path / "a")) == sorted(names(tmp_path / "d"))
    assert not list(tmp_path.glob(".*"))


def test_it_mixes_globally(folder, tmp_path):
    shuffle(folder, tmp_path / "out", seed=1)
    place = {name: number for number, name in enumerate(names(tmp_path / "out"))}
    first = [place[name] for name in names(folder)[:40]]
    assert 45 < sum(first) / 40 < 80  # of 125, so about 62


def test_documents_and_books_are_kept(folder, tmp_path):
    state = shuffle(folder, tmp_path / "out", seed=3, shard_tokens=500)
    before = {document.id: document.input_ids.tolist() for document in tokens.open(folder)}
    assert {document.id: document.input_ids.tolist() for document in tokens.open(tmp_path / "out")} == before
    assert len(state["_data_files"]) > 1
    for file in state["_data_files"]:
        found = recount(str(tmp_path / "out" / file["filename"]))
        assert (found.documents, found.tokens) == (file["documents"], file["tokens"])
    datasets = pytest.importorskip("datasets")
    assert len(datasets.load_from_disk(str(tmp_path / "out"))) == 125
    assert json.loads((tmp_path / "out/state.json").read_bytes()) == state


def test_wrong_folders_are_said(folder, tmp_path):
    with pytest.raises(OutputError):
        shuffle(folder, folder, seed=1)
    with pytest.raises(InputError, match="no dataset folder"):
        shuffle(tmp_path / "none", tmp_path / "out", seed=1)
