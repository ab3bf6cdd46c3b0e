"""A network file system that shows files late and loses handles: the same bytes, and no lock or map in the books."""

from __future__ import annotations

import errno
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tamis
from tamis.pipeline import inspect, journal, lock, manifest, storage
from tamis.pipeline.storage import Storage

LAG_S = 1.0
RECIPE = 'name = "lag"\n[read]\nunit_bytes = 4_000\n[dedup]\nbands = 2\nrows_per_band = 2\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    chance = random.Random(2)
    words = ["the", "sieve", "lets", "fall", "what", "is", "fine", "and", "keeps", "coarse", "flour", "for", "bread"]
    path = tmp_path / "in.jsonl"
    rows = [{"id": f"d{number}", "text": " ".join(chance.choices(words, k=40))} for number in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class SlowToShow:
    """Whoever opens a file within `LAG_S` of its birth is told that there is none; every ninth open is stale."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.opened, self.missed, self.stale = str(folder), 0, 0, 0
        map_, read, stat = pa.memory_map, Path.read_bytes, Path.stat

        def shown(path: Any) -> None:
            place = str(path)
            if not place.startswith(self.folder):
                return
            self.opened += 1
            if self.opened % 9 == 0:
                self.stale += 1
                raise OSError(errno.ESTALE, "Stale file handle", place)
            if time.time() - stat(Path(place)).st_mtime < LAG_S:
                self.missed += 1
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", place)

        def late(look: Callable[..., Any]) -> Callable[..., Any]:
            def open_(path: Any, *more: Any, **options: Any) -> Any:
                shown(path)
                return look(path, *more, **options)

            return open_

        patch.setattr(storage.pa, "memory_map", late(map_))
        patch.setattr(Path, "read_bytes", late(read))


def test_files_that_show_late_and_go_stale_cost_only_time(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "lag.toml"
    recipe.write_text(RECIPE)
    tamis.run(source, tmp_path / "clean", recipe=recipe, executor="inline")
    with monkeypatch.context() as patch:
        slow = SlowToShow(tmp_path / "out", patch)
        tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
        assert inspect.fsck(str(tmp_path / "out")).clean
    assert slow.missed > 3
    assert slow.stale > 3
    assert tree(tmp_path / "out") == tree(tmp_path / "clean")


def test_a_file_that_never_shows_is_gone_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LAG_S", 0.2)
    began = time.monotonic()
    with pytest.raises(FileNotFoundError):
        Storage(str(tmp_path)).open("absent")
    assert 0.2 <= time.monotonic() - began < 5


def test_an_error_that_no_wait_mends_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    began = time.monotonic()
    with pytest.raises(OSError, match="directory"):
        Storage(str(tmp_path)).read("folder")
    assert time.monotonic() - began < 1


def test_the_books_need_no_lock_and_no_map() -> None:
    for module in (journal, manifest, lock, storage):
        text = Path(str(module.__file__)).read_text()
        assert "flock" not in text
        assert "lockf" not in text
    assert "memory_map" not in Path(str(manifest.__file__)).read_text() + Path(str(journal.__file__)).read_text()
