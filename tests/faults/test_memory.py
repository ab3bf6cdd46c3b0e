"""Memory is a budget: how it is divided, and that more input does not take more of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tamis.errors import ConfigError
from tamis.pipeline.guard import held
from tamis.pipeline.memory import DRIVER_BYTES, WORKER_BYTES, available, divide


def test_a_budget_bounds_the_workers() -> None:
    four = divide(4 << 30, 64)
    assert four.workers == ((4 << 30) - DRIVER_BYTES) // WORKER_BYTES
    assert four.workers * four.worker + DRIVER_BYTES <= 4 << 30
    assert divide(64 << 30, 2).workers == 2
    assert divide(64 << 30, 2).sort == 1 << 30


def test_a_budget_too_small_for_one_worker_is_refused() -> None:
    with pytest.raises(ConfigError, match="too small"):
        divide(100 << 20, 1)


@pytest.mark.parametrize(("text", "bytes_"), [("2147483648\n", 2 << 30), ("max\n", None)])
def test_the_default_follows_the_cgroup(text: str, bytes_: int | None, tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text(text)
    found = available(tmp_path)
    assert found == int(bytes_ * 0.8) if bytes_ else found > 0


def test_what_is_held_counts_children_and_not_mapped_files(tmp_path: Path) -> None:
    big = tmp_path / "mapped"
    big.write_bytes(bytes(200 << 20))
    hold = "held = bytearray(b'x') * (150 << 20); print('ready', flush=True); input()"
    mapped = f"import mmap; f = open({str(big)!r}, 'rb'); m = mmap.mmap(f.fileno(), 0, prot=1); sum(m[::4096]); {hold}"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {mapped!r}])"
    process = subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    found = held(process.pid) >> 20
    process.communicate(b"\n")
    assert 150 <= found < 210
    assert held(process.pid) == 0


def peak(watched_run: Callable[..., tuple[int, int]], size: int, folder: Path) -> tuple[int, int]:
    """Return the exit code, and the most MiB that a run over `size` bytes of text held at once."""
    source, recipe = folder / f"{size}.jsonl", folder / "memory.toml"
    recipe.write_text('name = "memory"\n[read]\nunit_bytes = 1_000_000\n[dedup]\nbands = 2\nrows_per_band = 4\n')
    with source.open("w") as file:
        number = 0
        while file.tell() < size:
            text = " ".join(f"w{(number * 31 + place * place) % 9973}" for place in range(300))
            file.write(json.dumps({"id": f"{number}", "text": text}) + "\n")
            number += 1
    given = (str(source), str(folder / f"out-{size}"), "--recipe", str(recipe))
    code, most = watched_run(*given, "--memory", "2GB", "--workers", "1")
    return code, most >> 20


@pytest.mark.slow
def test_ten_times_the_input_takes_no_more_memory(watched_run: Callable[..., tuple[int, int]], tmp_path: Path) -> None:
    code, small = peak(watched_run, 2_000_000, tmp_path)
    assert code == 0
    code, large = peak(watched_run, 20_000_000, tmp_path)
    assert code == 0
    assert large < 2048
    assert large <= small * 1.15 + 40  # allocators warm up over the first batches
