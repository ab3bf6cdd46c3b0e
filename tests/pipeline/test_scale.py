"""The benchmark of many documents, with few: the declared memory holds, and the answer knows no circumstances."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks/dedup_scale.py"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_documents_within_a_declared_memory(tmp_path: Path) -> None:
    # Two million take ten minutes: `python -P benchmarks/dedup_scale.py --docs 2000000 --memory 512MB`.
    command = [sys.executable, "-P", str(BENCHMARK), "--docs", "60000", "--memory", "512MB", "--checks"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=None, cwd=tmp_path)
    # It ends badly where 256 MB, 1, 2 or 7 partitions, shuffled units, 256 open files, or memory, answer otherwise.
    assert done.returncode == 0, done.stderr
    peaks = [int(found) for found in re.findall(r"(\d+) MB peak +\d+ MB disk +[0-9a-f]", done.stdout)]
    assert len(peaks) == 7
    assert max(peaks) < 512 + 200
    told = [float(found) for found in re.findall(r"predicted .* (\d+) MB peak", done.stdout)]
    assert all(abs(one / peak - 1) <= 0.25 for one, peak in zip(told, peaks, strict=True))
