"""A record that no worker survives costs itself alone, is found by few attempts, and ends in `dropped/`."""

from __future__ import annotations

import importlib.util
import json
import os
import signal as signals
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import tamis
from tamis.errors import WorkerError
from tamis.pipeline.executor import load
from tamis.pipeline.local import LocalExecutor

MARK = "the poison is here"
RECIPE = """
name = "poison"
import = ["rules.py"]
[[filters]]
keep = "harmless"
at_least = 0
[read]
unit_bytes = 20_000
"""
RULES = '''
import os, signal as signals, time
import pyarrow as pa
import pyarrow.compute as pc
from tamis.filters import signal

@signal
def harmless(text):
    """One for every text, if it lives."""
    folder = os.environ["TAMIS_TEST_FOLDER"]
    for each in text.to_pylist():
        if "the poison is here" in each:
            with open(os.path.join(folder, "tries"), "a") as file:
                file.write("x")
            {deed}
    return pa.array([1.0] * len(text))
'''
DEEDS = {
    "segfault": "os.kill(os.getpid(), signals.SIGSEGV)",
    "exit": "os._exit(0)",
    "memory": "held = bytearray(b'x') * (3 << 30); time.sleep(30)",
}


def documents(folder: Path, poison: set[int]) -> Path:
    path = folder / "in.jsonl"
    rows = [
        {
            "id": f"d{number}",
            "text": f"Text number {number} of many. {MARK if number in poison else ''} " + "word " * 40,
        }
        for number in range(300)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recipe(folder: Path, deed: str) -> Path:
    (folder / "rules.py").write_text(RULES.replace("{deed}", DEEDS[deed]))
    path = folder / "poison.toml"
    path.write_text(RECIPE)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def dropped(output: Path) -> list[dict[str, Any]]:
    tables = [pq.read_table(path) for path in sorted((output / "dropped").iterdir())]
    return [row for row in pa.concat_tables(tables).to_pylist() if row["reason"].startswith("worker_")]


def kept(output: Path) -> set[str]:
    return set(ds.dataset(sorted(str(path) for path in (output / "documents").iterdir())).to_table()["id"].to_pylist())


@pytest.fixture
def tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAMIS_TEST_FOLDER", str(tmp_path))
    return tmp_path / "tries"


def test_the_poison_is_set_aside_and_the_rest_is_kept(tmp_path: Path, tries: Path) -> None:
    source, rules = documents(tmp_path, {200}), recipe(tmp_path, "segfault")
    tamis.run(source, tmp_path / "out", recipe=rules, executor="local", workers=2)
    found = [(row["id"], row["reason"], row["step"]) for row in dropped(tmp_path / "out")]
    assert found == [("d200", "worker_died", "read")]
    assert kept(tmp_path / "out") == {f"d{number}" for number in range(300)} - {"d200"}
    assert len(tries.read_text()) == 5  # three as usual, two record by record
    assert not [path for path in tree(tmp_path / "out") if "suspects" in path]


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
def test_all_executors_agree_on_what_is_left(tmp_path: Path, tries: Path) -> None:
    source, rules = documents(tmp_path, {299}), recipe(tmp_path, "exit")
    for name in ("local", "ray"):
        tamis.run(source, tmp_path / name, recipe=rules, executor=name, workers=2)
    assert tree(tmp_path / "local") == tree(tmp_path / "ray")
    assert [row["id"] for row in dropped(tmp_path / "ray")] == ["d299"]


def test_texts_that_only_need_sifting_are_treated_alike(tmp_path: Path, tries: Path) -> None:
    source, rules = documents(tmp_path, {40}), recipe(tmp_path, "exit")
    harmless = rules.read_text().replace('import = ["rules.py"]', "").replace('keep = "harmless"', 'keep = "chars"')
    first = tmp_path / "first.toml"
    first.write_text(harmless)
    tamis.run(source, tmp_path / "out", recipe=first, executor="inline")
    tamis.run(source, tmp_path / "out", recipe=rules, executor="local", workers=1)
    assert [(row["id"], row["step"]) for row in dropped(tmp_path / "out")] == [("d40", "language")]
    assert len(kept(tmp_path / "out")) == 299


def test_a_record_that_needs_more_memory_than_there_is(tmp_path: Path, tries: Path) -> None:
    source, rules = documents(tmp_path, {100}), recipe(tmp_path, "memory")
    executor = LocalExecutor(1, worker_memory=1500 << 20)
    try:
        tamis.run(source, tmp_path / "out", recipe=rules, executor=executor)
    finally:
        executor.close()
    assert [(row["id"], row["reason"]) for row in dropped(tmp_path / "out")] == [("d100", "worker_memory")]
    assert len(tries.read_text()) <= 3


def test_a_worker_killed_by_chance_blames_nobody(tmp_path: Path, tries: Path) -> None:
    """Every attempt but the fifth is shot, in the middle of whatever record it has in hand."""
    source = documents(tmp_path, set())
    rules = recipe(tmp_path, "exit")
    shot = RULES.replace(
        "    for each in text",
        "    with open(os.path.join(folder, 'tries'), 'a') as file:\n"
        "        file.write('x')\n"
        "    if os.path.getsize(os.path.join(folder, 'tries')) in (1, 2, 3, 10):\n"
        "        os.kill(os.getpid(), signals.SIGKILL)\n"
        "    for each in text",
    )
    (tmp_path / "rules.py").write_text(shot.replace("{deed}", "pass"))
    tamis.run(source, tmp_path / "out", recipe=rules, executor="local", workers=1)
    assert dropped(tmp_path / "out") == []
    assert len(kept(tmp_path / "out")) == 300
    tamis.run(source, tmp_path / "clean", recipe=rules, executor="inline")
    assert tree(tmp_path / "out") == tree(tmp_path / "clean")


def wait_for(path: Path, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert path.exists()


def linger(shard: Any) -> Any:
    folder = Path(shard.payload["folder"])
    (folder / "began").write_text(str(os.getpid()))
    time.sleep(60)
    (folder / "late").touch()


def test_a_worker_ends_with_its_driver(tmp_path: Path) -> None:
    driver = os.fork()
    if driver == 0:
        from tamis.pipeline.shard import Shard

        try:
            list(load("local", 1).run(linger, [Shard("s", "a", "f", {"folder": str(tmp_path)})]))
        finally:
            os._exit(1)
    wait_for(tmp_path / "began")
    worker = int((tmp_path / "began").read_text())
    os.kill(driver, signals.SIGKILL)
    os.waitpid(driver, 0)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
    assert not (tmp_path / "late").exists()


def test_a_unit_without_records_is_given_up_with_its_name(tmp_path: Path) -> None:
    from tamis.pipeline.shard import Shard

    executor = load("local", 1)
    try:
        with pytest.raises(WorkerError, match=r"s/a.*3 times \(SIGKILL\)"):
            list(executor.run(lambda _: os.kill(os.getpid(), signals.SIGKILL), [Shard("s", "a", "f")]))
    finally:
        executor.close()
