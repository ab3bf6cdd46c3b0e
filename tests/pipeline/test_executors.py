"""The same bytes from every executor and worker count, and nothing that hangs when workers die."""

from __future__ import annotations

import filecmp
import gc
import importlib.util
import os
from pathlib import Path

import pytest

import tamis
from tamis.errors import WorkerError
from tamis.pipeline.executor import ATTEMPTS, InlineExecutor, load
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def reference(miniweb: Path, plain_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("reference") / "out"
    tamis.run(miniweb, output, recipe=plain_recipe, executor="inline")
    return output


@pytest.mark.parametrize(("executor", "workers"), [("local", 1), ("local", 2), ("ray", 2)])
def test_the_output_is_the_same_bytes(
    executor: str, workers: int, miniweb: Path, plain_recipe: Path, reference: Path, tmp_path: Path
) -> None:
    if executor == "ray" and importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed")
    tamis.run(miniweb, tmp_path / "out", recipe=plain_recipe, executor=executor, workers=workers)
    same, other = tree(reference), tree(tmp_path / "out")
    assert same.keys() == other.keys()
    assert [path for path in same if same[path] != other[path]] == []


def test_tiny_units_give_the_same_documents(miniweb: Path, plain_recipe: Path, reference: Path, tmp_path: Path) -> None:
    overrides = {"read.unit_bytes": 20_000}
    report = tamis.run(miniweb, tmp_path / "out", recipe=plain_recipe, executor="inline", overrides=overrides)
    assert len(list((tmp_path / "out" / "documents").iterdir())) > 20
    assert filecmp.cmp(reference / "ledger.csv", tmp_path / "out" / "ledger.csv", shallow=False)
    assert report.complete


def ok(shard: Shard) -> tuple[Receipt, ...]:
    return (Receipt(shard.step, shard.name, shard.fingerprint),)


def tell(shard: Shard) -> tuple[Receipt, ...]:
    facts = {"pid": os.getpid(), "threshold": gc.get_threshold()[0], "frozen": gc.get_freeze_count()}
    return (Receipt(shard.step, shard.name, shard.fingerprint, facts=facts),)


def die_once(shard: Shard) -> tuple[Receipt, ...]:
    marker = Path(shard.payload["folder"]) / shard.name
    if not marker.exists():
        marker.touch()
        os._exit(9)
    return ok(shard)


def die(shard: Shard) -> tuple[Receipt, ...]:
    if shard.name == "3":
        os._exit(9)
    return ok(shard)


def fail(shard: Shard) -> tuple[Receipt, ...]:
    raise ZeroDivisionError("in the work")


def shards(count: int, folder: Path) -> list[Shard]:
    return [Shard("s", str(number), "f", {"folder": str(folder)}) for number in range(count)]


EXECUTORS = [
    "local",
    pytest.param(
        "ray", marks=pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
    ),
]


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_worker_that_dies_is_replaced_and_its_unit_done(name: str, tmp_path: Path) -> None:
    executor = load(name, workers=2)
    try:
        done = [each.shard for (each,) in executor.run(die_once, shards(4, tmp_path))]
    finally:
        executor.close()
    assert sorted(done) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("name", EXECUTORS)
def test_a_unit_that_always_kills_its_worker_ends_the_run_after_its_attempts(name: str, tmp_path: Path) -> None:
    executor = load(name, workers=2)
    try:
        with pytest.raises(WorkerError, match=f"s/3.*{ATTEMPTS}"):
            list(executor.run(die, shards(6, tmp_path)))
    finally:
        executor.close()


@pytest.mark.parametrize("name", ["inline", *EXECUTORS])
def test_a_programming_fault_is_raised_with_its_traceback(name: str, tmp_path: Path) -> None:
    executor = load(name, workers=2)
    try:
        with pytest.raises(ZeroDivisionError) as caught:
            list(executor.run(fail, shards(2, tmp_path)))
    finally:
        executor.close()
    if name != "inline":
        assert "in the work" in "".join(caught.value.__notes__)


def test_workers_serve_one_step_after_another(tmp_path: Path) -> None:
    executor = load("local", workers=2)
    try:
        for count in (1, 5, 0, 3):
            assert len(list(executor.run(ok, shards(count, tmp_path)))) == count
    finally:
        executor.close()


def test_inline_keeps_the_order(tmp_path: Path) -> None:
    assert [each.shard for (each,) in InlineExecutor().run(ok, shards(3, tmp_path))] == ["0", "1", "2"]


@pytest.mark.parametrize("name", ["local", "ray"])
def test_workers_collect_garbage_seldom_and_never_what_they_loaded(name: str) -> None:
    if name == "ray":
        pytest.importorskip("ray")
    ours = gc.get_threshold(), gc.get_freeze_count()
    executor = load(name, workers=1)
    try:
        shards = [Shard("step", str(number), "f") for number in range(6)]
        told = [receipt.facts for receipts in executor.run(tell, shards) for receipt in receipts]
    finally:
        executor.close()
    assert os.getpid() not in [each["pid"] for each in told]
    assert all(each["threshold"] > 700 for each in told)
    later = [each for number, each in enumerate(told) if each["pid"] in [before["pid"] for before in told[:number]]]
    assert later
    assert all(each["frozen"] > 10_000 for each in later)
    # The caller's own process is left as it is.
    load("inline").run(tell, shards)
    assert (gc.get_threshold(), gc.get_freeze_count()) == ours
