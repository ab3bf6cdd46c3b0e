"""Every write may fail, at every step of it, and every attempt may finish late: the output is the same, and clean."""

from __future__ import annotations

import errno
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import tamis
from tamis.errors import OutputError
from tamis.pipeline import inspect
from tamis.pipeline.executor import InlineExecutor
from tamis.pipeline.journal import Journal
from tamis.pipeline.storage import Sink, Storage

RECIPE = """
name = "writes"
[read]
unit_bytes = 3_000
[dedup]
bands = 2
rows_per_band = 2
[tokenize]
shard_tokens = 500
"""
MOMENTS = ("open", "middle", "before the rename", "before the receipt")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("writes") / "in.jsonl"
    words = ["the", "sieve", "lets", "fall", "what", "is", "fine", "and", "keeps", "coarse", "flour", "for", "bread"]
    chance = random.Random(1)
    rows = [{"id": f"d{n}", "text": " ".join(chance.choices(words, k=40))} for n in range(48)]
    rows += [{"id": f"twin{n}", "text": rows[n]["text"]} for n in range(0, 48, 7)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "writes.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def reference(source: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("reference") / "out"
    tamis.run(source, output, recipe=recipe, executor="inline")
    return tree(output)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def full() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


class Disk:
    """A disk that fails at one moment of its n-th write."""

    def __init__(self, moment: str, after: int, patch: pytest.MonkeyPatch) -> None:
        self.moment, self.left = moment, after
        create, write, add = Storage.create, Sink.write, Journal.add
        disk = self

        @contextmanager
        def failing_create(storage: Storage, path: str) -> Iterator[Sink]:
            quiet = path.startswith(("status", "metrics"))
            if not quiet and disk.fails("open"):
                raise OutputError("full", "") from full()
            with create(storage, path) as sink:
                yield sink
                if not quiet and disk.fails("before the rename"):
                    raise OutputError("full", "") from full()

        def failing_write(sink: Sink, data: Any) -> int:
            if "status" not in sink._name and "metrics" not in sink._name and disk.fails("middle"):
                raise OutputError("full", "") from full()
            return write(sink, data)

        def failing_add(journal: Journal, data: bytes, *, durable: bool = True) -> None:
            if disk.fails("before the receipt"):
                raise OutputError("full", "") from full()
            add(journal, data, durable=durable)

        patch.setattr(Storage, "create", failing_create)
        patch.setattr(Sink, "write", failing_write)
        patch.setattr(Journal, "add", failing_add)

    def fails(self, moment: str) -> bool:
        if moment != self.moment:
            return False
        self.left -= 1
        return self.left == 0


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_write_that_fails_is_a_message_and_the_next_run_mends_it(
    moment: str, seed: int, source: Path, recipe: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    chance = random.Random(f"{moment} {seed}")
    failed = 0
    for _ in range(3):
        with pytest.MonkeyPatch.context() as patch:
            Disk(moment, chance.randint(1, 12), patch)
            try:
                tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
            except OutputError:
                failed += 1
    assert failed
    tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
    assert tree(tmp_path / "out") == reference
    assert inspect.fsck(str(tmp_path / "out")).clean


class Zombies(InlineExecutor):
    """Starts every unit twice; the first attempt stops before its first rename until all else is done."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.released = threading.Event()
        self.threads: list[threading.Thread] = []
        replace, names = Path.replace, self.threads

        def late(part: Path, target: Path) -> Path:
            if threading.current_thread() in names:
                self.released.wait(60)
            return replace(part, target)

        patch.setattr(Path, "replace", late)

    def run(self, work: Any, shards: Any) -> Any:
        for shard in shards:
            thread = threading.Thread(target=self._late, args=(work, shard))
            self.threads.append(thread)
            thread.start()
            yield work(shard)

    def _late(self, work: Any, shard: Any) -> None:
        with suppress(FileNotFoundError, OutputError):  # what it wrote may have been swept; nobody waits for its answer
            work(shard)


def test_an_attempt_that_finishes_late_changes_nothing(
    source: Path, recipe: Path, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zombies = Zombies(monkeypatch)
    tamis.run(source, tmp_path / "out", recipe=recipe, executor=zombies)
    zombies.released.set()
    for thread in zombies.threads:
        thread.join()
    assert tree(tmp_path / "out") == reference
    assert inspect.fsck(str(tmp_path / "out")).clean
    assert len(zombies.threads) > 10


def test_a_disk_that_shows_files_late_only_costs_time(
    source: Path, recipe: Path, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is read once, at the start; after that a run trusts the receipts it was given, not a listing."""
    monkeypatch.setattr(Storage, "list", lambda storage, folder: [])
    tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
    assert tree(tmp_path / "out") == reference
