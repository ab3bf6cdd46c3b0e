"""A driver killed in the middle of a write: what lies half-written is nobody's, and the next run leaves none of it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import tamis
from tamis.pipeline import inspect
from tamis.pipeline.scratch import scratch_folder

RECIPE = 'name = "kills"\n[read]\nunit_bytes = 3_000\n[dedup]\nbands = 2\nrows_per_band = 2\n'
# Runs, and ends itself by SIGKILL in its n-th write whose path holds a word: its file is there, and half written.
# Prints how many such writes there were, if it lives.
KILLED = """
import os, signal, sys
from contextlib import contextmanager
import tamis
from tamis.pipeline.storage import Storage

source, output, recipe, word, last = sys.argv[1:]
create, count = Storage.create, 0

@contextmanager
def deadly(storage, path):
    global count
    count += word in path
    last_one = word in path and count == int(last)
    with create(storage, path) as sink:
        if last_one:
            sink.write(b"half")
            sink._target.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        yield sink

Storage.create = deadly
tamis.run(source, output, recipe=recipe, executor="inline")
print(count)
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, bytes]]:
    """Return an input, a recipe, and the files that a run of them leaves."""
    folder, chance = tmp_path_factory.mktemp("kills"), random.Random(3)
    words = ["the", "sieve", "lets", "fall", "what", "is", "fine", "and", "keeps", "coarse", "flour", "for", "bread"]
    source, recipe = folder / "in.jsonl", folder / "kills.toml"
    rows = [{"id": f"d{number}", "text": " ".join(chance.choices(words, k=40))} for number in range(30)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe.write_text(RECIPE)
    tamis.run(source, folder / "out", recipe=recipe, executor="inline")
    return source, recipe, tree(folder / "out")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def killed(source: Path, output: Path, recipe: Path, word: str, last: int) -> bool:
    """Return whether a run was killed in such a write: False where it has fewer of them."""
    line = [sys.executable, "-c", KILLED, str(source), str(output), str(recipe), word, str(last)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode != 0


@pytest.mark.parametrize(
    ("word", "last"),
    [(".probe", 1), ("metrics.prom", 1), ("work/", 3), ("report/", 2), ("manifest.jsonl", 1)],
)
def test_a_driver_killed_in_a_write_leaves_nothing_behind(
    word: str, last: int, given: tuple[Path, Path, dict[str, bytes]], tmp_path: Path
) -> None:
    source, recipe, reference = given
    assert killed(source, tmp_path / "out", recipe, word, last)
    assert [path for path in tree(tmp_path / "out") if ".part-" in path]
    tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
    assert tree(tmp_path / "out") == reference
    assert inspect.fsck(str(tmp_path / "out")).clean


def test_temporary_files_of_a_killed_process_go_with_the_next_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os\nfrom tamis.pipeline.scratch import scratch_folder\n"
    code += "with scratch_folder('dedup') as folder:\n    (folder / 'sort').write_bytes(bytes(1000))\n    os._exit(9)"
    subprocess.run([sys.executable, "-c", code], check=False, env=os.environ | {"TMPDIR": str(tmp_path)})
    assert [path.name for path in tmp_path.glob("tamis-dedup-*/*")] == ["sort"]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "tamis-dedup-00000000-1-x").mkdir()  # of another machine
    with scratch_folder("dedup") as mine, scratch_folder("audit") as other:
        assert mine.is_dir()
        assert len(list(tmp_path.iterdir())) == 3
        (other / "sort").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["tamis-dedup-00000000-1-x"]


def test_a_stranger_s_file_that_looks_like_one_of_ours_is_left(
    given: tuple[Path, Path, dict[str, bytes]], tmp_path: Path
) -> None:
    source, recipe, _ = given
    tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
    (tmp_path / "out" / "notes.part-two").write_text("mine")
    tamis.run(source, tmp_path / "out", recipe=recipe, executor="inline")
    assert (tmp_path / "out" / "notes.part-two").read_text() == "mine"
    assert inspect.fsck(str(tmp_path / "out")).clean
