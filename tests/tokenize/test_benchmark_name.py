"""The benchmark's file name must not hide the standard library's `tokenize` from the scripts beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def test_scripts_in_the_folder_find_the_standard_librarys_module():
    first = f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})"
    code = f"{first}; import tokenize; print(tokenize.open.__module__, tokenize.tok_name[1])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["tokenize", "NAME"]


def test_benchmarks_start():
    for name in ("dedup", "tokenize"):
        ran = subprocess.run([sys.executable, BENCHMARKS / f"{name}.py", "--help"], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        assert "usage" in ran.stdout
