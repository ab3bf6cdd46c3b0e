"""Every numbered example runs and prints what it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("01_run.py", ["eng_Latn", "tokens found"]),
        ("02_own_filters.py", ["documents", "tokens"]),
        ("03_three_functions.py", ["Le pont", "deu_Latn", "eng_Latn", "fra_Latn", "kept_row"]),
        ("04_read_tokens.py", ["documents;", "by rank:"]),
        ("05_import.py", ["first_line_chars", "documents"]),
    ],
)
def test_the_example_runs(name: str, words: list[str], tmp_path: Path) -> None:
    arguments = [] if name.startswith("03") else [str(tmp_path)]
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in words), done.stdout


def test_all_examples_are_tested() -> None:
    source = Path(__file__).read_text("utf-8")
    assert all(path.name in source for path in EXAMPLES.glob("[0-9]*.py"))
