"""Models and stages on their way to many processes: mapped once for all, and small enough to send."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

import tamis
from tamis.perplexity.ngrams import NgramModel
from tamis.pipeline.executor import InlineExecutor

WORKERS = 8
MODEL_BYTES = 128 << 20
READER = """
import sys
from pathlib import Path
from tamis.perplexity.ngrams import open_model
model = open_model(Path(sys.argv[1]))
total = int(model.cells.sum()) + float(model.unigrams.sum())
print("ready", flush=True)
sys.stdin.readline()
"""


def shares(pid: int, path: Path) -> int:
    """Return the bytes of a file that a process is charged with: pages that n processes map count one n-th for each."""
    found, inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if not line[0].isupper() or "-" in line.split(" ", 1)[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Pss:"):
            found += int(line.split()[1]) << 10
    return found


def anonymous(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("Anonymous:"))


def test_eight_workers_hold_a_large_model_once(tmp_path: Path) -> None:
    slots = MODEL_BYTES // 16
    words = ("<unk>", "<s>", "</s>")
    cells = np.arange(2 * slots, dtype=np.uint64)
    model = NgramModel(2, words, (3, slots), np.zeros((3, 2), np.float32), cells)
    path = tmp_path / "large.ngrams"
    model.save(path)
    crew = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(WORKERS)
    ]
    try:
        for worker in crew:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        held = sum(shares(worker.pid, path) for worker in crew)
        alone = max(anonymous(worker.pid) for worker in crew)
    finally:
        for worker in crew:
            worker.communicate("\n")
    assert 0.9 * MODEL_BYTES < held < 1.3 * MODEL_BYTES
    assert alone < MODEL_BYTES  # and none has a copy of its own beside it


class Sent(InlineExecutor):
    """Sends every piece of work through cloudpickle, as executors with processes do, and weighs it."""

    def __init__(self) -> None:
        self.bytes: dict[str, int] = {}

    def run(self, work: Any, shards: Any) -> Any:
        data = cloudpickle.dumps(work)
        self.bytes[type(work).__name__] = max(len(data), self.bytes.get(type(work).__name__, 0))
        return super().run(cloudpickle.loads(data), shards)


def test_every_stage_travels_and_is_small(miniweb: Path, tmp_path: Path) -> None:
    sent = Sent()
    tamis.run(miniweb, tmp_path / "out", executor=sent)
    assert {"Curate", "Deduplicate", "Finish", "Tokenize"} <= sent.bytes.keys()
    assert max(sent.bytes.values()) < 100_000, sent.bytes
