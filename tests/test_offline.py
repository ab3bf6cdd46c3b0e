"""No command that reads, judges or writes documents touches the network: not the driver, and not its workers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = """
import os, socket
def refuse(self, address, *rest):
    if self.family != socket.AF_UNIX:
        with open(os.environ["TOUCHED"], "a") as file:
            file.write(f"{os.getpid()} {address}\\n")
        raise OSError("the network is blocked")
    return real(self, address, *rest)
real = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = refuse
with open(os.environ["TOUCHED"] + ".guarded", "a") as file:
    file.write(f"{os.getpid()}\\n")
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which every Python process refuses to connect, and notes that it was asked to."""
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / "sitecustomize.py").write_text(BLOCK, "utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path / "block"), os.environ.get("PYTHONPATH", "")]))
    cache = {"TAMIS_CACHE": str(tmp_path / "cache"), "TAMIS_OFFLINE": "1", "TOUCHED": str(tmp_path / "touched")}
    return {**os.environ, "PYTHONPATH": path, **cache}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    text = "The ferry leaves at noon and comes back before dark, unless the wind turns against it. "
    rows = [{"id": f"d{n}", "text": f"Number {n} of many. " + text * 12} for n in range(40)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return tmp_path / "in.jsonl"


def tamis(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tamis", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)


def test_a_run_and_its_workers_touch_no_network(tmp_path: Path, source: Path, environment: dict[str, str]) -> None:
    shown = tamis(environment, "run", source, tmp_path / "out", "--workers", 2)
    assert shown.returncode == 0, shown.stderr
    assert not (tmp_path / "touched").exists(), (tmp_path / "touched").read_text()
    guarded = set((tmp_path / "touched.guarded").read_text().split())
    assert len(guarded) >= 2, "the workers were not guarded"
    assert tamis(environment, "langid", source, tmp_path / "out.jsonl").returncode == 0
    assert not (tmp_path / "touched").exists()


def test_a_model_that_is_missing_stops_at_once_and_says_how_to_get_it(
    tmp_path: Path, source: Path, environment: dict[str, str]
) -> None:
    for arguments in (
        ["run", source, tmp_path / "out", "--set", "langid.model=lid.176"],
        ["langid", source, tmp_path / "out.jsonl", "--model", "lid.176"],
        ["models", "get", "lid.176"],
    ):
        shown = tamis(environment, *arguments)
        assert shown.returncode == 5, (arguments, shown.stderr)
        for part in ("lid.176.ftz", "8f3472cfe8738a7b", "tamis models get lid.176"):
            assert part in shown.stderr.replace("\n", ""), shown.stderr
    assert not (tmp_path / "touched").exists()
    assert not (tmp_path / "out").exists()
