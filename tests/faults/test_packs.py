"""Thousands of tiny files: few units, few files, the documents of one large file, and every fault told by its file."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pyarrow.dataset as ds
import pytest

import tamis
from tamis.pipeline import inspect
from tamis.pipeline.packs import MANY_FILES, PACK_BYTES, PACK_FILES, SMALL_BYTES, packed
from tamis.pipeline.replay import replay
from tamis.recipe import load
from tamis.warc.manifest import Source

RECIPE = 'name = "packs"\n[dedup]\nbands = 2\nrows_per_band = 2\n[tokenize]\nshard_tokens = 2_000\n'
FILES = MANY_FILES + 40


def source(name: str, size: int = 5000, kind: str = "jsonl", problem: str = "") -> Source:
    return Source(name, name, kind, size, problem)  # type: ignore[arg-type]


def test_what_is_packed_depends_on_the_files_alone() -> None:
    few = [source(f"a{number}") for number in range(MANY_FILES - 1)]
    assert [len(pack) for pack in packed(few)] == [1] * len(few)
    many = [source(f"a{number}") for number in range(3 * PACK_FILES)]
    assert [len(pack) for pack in packed(many)] == [PACK_FILES] * 3
    assert [number for pack in packed(many) for number, _ in pack] == list(range(len(many)))
    heavy = [source(f"a{number}", SMALL_BYTES) for number in range(MANY_FILES)]
    assert {len(pack) for pack in packed(heavy)} == {PACK_BYTES // SMALL_BYTES}
    mixed = [*many[:MANY_FILES], source("big", SMALL_BYTES + 1), source("bad", 9, problem="empty"), *few]
    assert [len(pack) for pack in packed(mixed)] == [MANY_FILES, 1, *[1] * len(few)]
    kinds = [source(f"a{number}", kind="text" if number % 2 else "jsonl") for number in range(1000)]
    assert {len(pack) for pack in packed(kinds)} == {1}


@pytest.fixture(scope="module")
def rows() -> list[str]:
    chance = random.Random(5)
    words = ["sieve", "flour", "bread", "grain", "coarse", "fine", "mill", "stone", "water", "wheel", "sack"]
    return [
        json.dumps({"id": f"d{number}", "text": f"{number} " + " ".join(chance.choices(words, k=30))}) + "\n"
        for number in range(2 * FILES)
    ]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "packs.toml"
    path.write_text(RECIPE)
    return path


def tiny(folder: Path, rows: list[str]) -> Path:
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:04d}.jsonl").write_text("".join(rows[2 * number : 2 * number + 2]))
    return folder


def test_tiny_files_give_what_one_file_gives(rows: list[str], recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text("".join(rows))
    tamis.run(tmp_path / "one.jsonl", tmp_path / "out-one", recipe=recipe, executor="inline")
    many = tiny(tmp_path / "in", rows)
    tamis.run(many, tmp_path / "out", recipe=recipe, executor="inline")
    one, out = (ds.dataset(str(tmp_path / name / "documents")).to_table() for name in ("out-one", "out"))
    assert out["id"].to_pylist() == one["id"].to_pylist()
    assert out["text"].to_pylist() == one["text"].to_pylist()
    assert (tmp_path / "out" / "ledger.csv").read_bytes() == (tmp_path / "out-one" / "ledger.csv").read_bytes()
    assert len(list((tmp_path / "out").rglob("*"))) == len(list((tmp_path / "out-one").rglob("*")))
    # Units were few, and an edited file costs its own alone.
    steps = {step.step: step for step in tamis.plan(many, tmp_path / "out", recipe=recipe)}
    assert (steps["extract"].units, steps["extract"].missing) == (1, 0)
    (many / "0007.jsonl").write_text(rows[0])
    assert {step.step: step.missing for step in tamis.plan(many, tmp_path / "out", recipe=recipe)}["extract"] == 1


def test_a_bad_file_among_many_is_named_and_the_others_are_kept(rows: list[str], recipe: Path, tmp_path: Path) -> None:
    many = tiny(tmp_path / "in", rows)
    whole = gzip.compress("".join(rows[:40]).encode())
    (many / "0003.jsonl").unlink()
    (many / "0003.jsonl.gz").write_bytes(whole[:-20])
    (many / "0004.jsonl").write_text("{not json\n" + rows[9])
    report = tamis.run(many, tmp_path / "out", recipe=recipe, executor="inline")
    assert [Path(each.name).name for each in report.problems] == ["0003.jsonl.gz"]
    dropped = ds.dataset(str(tmp_path / "out" / "dropped")).to_table().to_pylist()
    told = [(Path(row["id"]).name, row["reason"]) for row in dropped if row["step"] == "read"]
    assert ("0004.jsonl:0", "json") in told
    kept = set(ds.dataset(str(tmp_path / "out" / "documents")).to_table()["id"].to_pylist())
    assert {f"d{number}" for number in range(10, 2 * FILES)} <= kept


POISON = '''
import os
import pyarrow as pa
from tamis.filters import signal

@signal
def free_of_poison(text):
    """One for every text, if it lives."""
    if any("the poison" in each for each in text.to_pylist()):
        os._exit(0)
    return pa.array([1.0] * len(text))
'''


def test_poison_in_one_file_of_a_pack_is_found(rows: list[str], recipe: Path, tmp_path: Path) -> None:
    many = tiny(tmp_path / "in", rows)
    (many / "0100.jsonl").write_text(json.dumps({"id": "bad", "text": "the poison " * 9}) + "\n" + rows[201])
    (tmp_path / "poison.py").write_text(POISON)
    recipe.write_text('import = ["poison.py"]\n[[filters]]\nkeep = "free_of_poison"\nat_least = 0\n' + RECIPE)
    text = recipe.read_text().replace('name = "packs"\n', "")
    recipe.write_text('name = "packs"\n' + text)
    tamis.run(many, tmp_path / "out", recipe=recipe, executor="local", workers=1)
    dropped = ds.dataset(str(tmp_path / "out" / "dropped")).to_table().to_pylist()
    assert [row["id"] for row in dropped if row["reason"] == "worker_died"] == ["bad"]
    assert len(ds.dataset(str(tmp_path / "out" / "documents")).to_table()) > FILES
    assert inspect.fsck(str(tmp_path / "out")).clean


def test_tiny_crawl_files_keep_their_names(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(FILES):
        page = f"<html><p>Page {number} of many, with some words of its own: {'word ' * (number % 50)}</p></html>"
        body = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{page}".encode()
        head = "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
        head += f"WARC-Target-URI: https://example.org/{number}\r\nContent-Length: {len(body)}\r\n\r\n"
        data = gzip.compress(head.encode() + body + b"\r\n\r\n", 1, mtime=0)
        (tmp_path / "in" / f"{number:04d}.warc.gz").write_bytes(data[:-30] if number == 9 else data)
    recipe.write_text(RECIPE.partition("[dedup]")[0])
    report = tamis.run(tmp_path / "in", tmp_path / "out", recipe=recipe, executor="inline")
    assert [Path(each.name).name for each in report.problems] == ["0009.warc.gz"]
    (fate,) = inspect.why(str(tmp_path / "out"), "https://example.org/77")
    assert fate.kept
    assert fate.row["id"].endswith("0077.warc.gz:0")
    *_, last = replay(fate.row["id"], load(recipe).settings(), source=str(tmp_path / "in" / "0077.warc.gz"))
    assert last.stage == "kept"
