"""What a run was done with, and where, is no part of its result: other workers, memory or place reuse all of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import tamis


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_other_workers_memory_log_and_place_reuse_everything(miniweb: Path, plain_recipe: Path, tmp_path: Path) -> None:
    tamis.run(miniweb, tmp_path / "first", recipe=plain_recipe, executor="inline", memory=2 << 30)
    before = tree(tmp_path / "first")
    # Another machine mounts the same folder elsewhere.
    (tmp_path / "first").rename(tmp_path / "elsewhere")
    steps = tamis.plan(miniweb, tmp_path / "elsewhere", recipe=plain_recipe)
    assert {step.missing for step in steps} == {0}
    line = [sys.executable, "-m", "tamis", "run", str(miniweb), str(tmp_path / "elsewhere")]
    line += ["--recipe", str(plain_recipe), "--workers", "3", "--memory", "3GB", "--log-json"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no unit was done, so there was nothing to log
    assert tree(tmp_path / "elsewhere") == before


def test_a_touched_or_copied_input_is_the_same_input(miniweb: Path, plain_recipe: Path, tmp_path: Path) -> None:
    shutil.copytree(miniweb.parent, tmp_path / "crawl")
    manifest = tmp_path / "crawl" / miniweb.name
    tamis.run(tmp_path / "crawl" / "miniweb-00000.warc.gz", tmp_path / "out", recipe=plain_recipe, executor="inline")
    for path in (tmp_path / "crawl").iterdir():
        path.touch()
    assert manifest.exists()
    steps = tamis.plan(tmp_path / "crawl" / "miniweb-00000.warc.gz", tmp_path / "out", recipe=plain_recipe)
    assert {step.missing for step in steps} == {0}
