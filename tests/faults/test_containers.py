"""Small and odd containers: little shared memory, no network, no home to write to, one processor; the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

import tamis
from tamis.pipeline.executor import available_cpus
from tamis.pipeline.memory import available, divide

UNSHARE = ("unshare", "--mount", "--net")
RECIPE = 'name = "small"\n[dedup]\nbands = 2\nrows_per_band = 2\n[tokenize]\nshard_tokens = 2_000\n'


def can_unshare() -> bool:
    return bool(shutil.which("unshare")) and not subprocess.run([*UNSHARE, "true"], capture_output=True).returncode


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def lines(count: int, words: int = 30, seed: int = 5) -> list[str]:
    chance = random.Random(seed)
    vocabulary = ["sieve", "flour", "bread", "grain", "coarse", "fine", "mill", "stone", "water", "wheel", "sack"]
    return [
        json.dumps({"id": f"d{number}", "text": f"{number} " + " ".join(chance.choices(vocabulary, k=words))}) + "\n"
        for number in range(count)
    ]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(RECIPE)
    return path


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_a_small_container_gives_the_same_bytes(executor: str, recipe: Path, tmp_path: Path) -> None:
    if not can_unshare():
        pytest.skip("needs the right to make namespaces")
    if executor == "ray":
        pytest.importorskip("ray")
    source, home = tmp_path / "in.jsonl", tmp_path / "home"
    source.write_text("".join(lines(200)))
    home.mkdir()
    tamis.run(source, tmp_path / "clean", recipe=recipe, executor="inline")
    command = f"{sys.executable} -m tamis run {source} {tmp_path / 'out'} --recipe {recipe} --workers 1 --memory 2GB"
    # A read-only home, 64 MB of shared memory, no network but the loopback, and so no names to resolve.
    inside = (
        "mount -t tmpfs -o size=64m none /dev/shm && ip link set lo up; "
        f"mount --bind {home} {home} && mount -o remount,ro,bind {home} && exec {command} --executor {executor}"
    )
    env = os.environ | {"HOME": str(home)}
    done = subprocess.run(
        [*UNSHARE, "taskset", "--cpu-list", "0", "sh", "-c", inside],
        capture_output=True,
        text=True,
        env=env,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert tree(tmp_path / "out") == tree(tmp_path / "clean")
    assert list(home.iterdir()) == []


def test_the_number_of_workers_follows_processors_and_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(f"{2 << 30}\n")
    assert divide(available(tmp_path), available_cpus()).workers <= 2
    code = "from tamis.pipeline.executor import available_cpus; print(available_cpus())"
    pinned = subprocess.run(
        ["taskset", "--cpu-list", "0", sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert pinned.stdout == "1\n"


def test_one_compressed_file_and_many_tiny_ones_give_the_documents_of_one_plain_file(
    recipe: Path, tmp_path: Path
) -> None:
    rows = lines(400)
    shapes = {"plain": tmp_path / "plain.jsonl", "one": tmp_path / "one.jsonl.zst", "tiny": tmp_path / "tiny"}
    shapes["plain"].write_text("".join(rows))
    shapes["one"].write_bytes(zstandard.compress("".join(rows).encode()))
    shapes["tiny"].mkdir()
    for number in range(0, 400, 4):
        (shapes["tiny"] / f"{number:03d}.jsonl").write_text("".join(rows[number : number + 4]))
    found, shards = {}, {}
    for name, source in shapes.items():
        output = tmp_path / f"out-{name}"
        tamis.run(source, output, recipe=recipe, executor="inline")
        found[name] = (output / "ledger.csv").read_bytes()
        shards[name] = [path.stat().st_size for path in sorted(output.glob("tokens/*/*.arrow"))]
    assert found["one"] == found["tiny"] == found["plain"]
    # Token shards are cut by tokens, whatever the files were.
    assert shards["one"] == shards["tiny"] == shards["plain"]
