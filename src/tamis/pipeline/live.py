"""Live: what a run says about itself while it runs, in two small files that anybody may read: no Ray, no ports.

`status.json` for `tamis status`, `metrics.prom` in Prometheus' text format for its node exporter. Both are written
anew every few seconds, and removed when the run ends: what is true then stands in the manifest and the ledger.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tamis.errors import OutputError
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.storage import Storage

STATUS = "status.json"
METRICS = "metrics.prom"
EVERY_S = 5.0
_SIFT, _READ = "sift", "read"


class Live:
    """Collects what units did and writes it every `EVERY_S` seconds; use it as a context around the run.

    `done` are receipts of earlier runs of the same folder: they count in the totals, not in the rates.
    """

    def __init__(self, storage: Storage, done: Sequence[Receipt] = ()) -> None:
        self._storage = storage
        self._began = time.time()
        self._clock = time.monotonic()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._steps: dict[str, dict[str, float]] = {}
        self._tokens: dict[str, int] = {}
        self._read = [0, 0, 0]  # documents, bytes, and what of the bytes this run read
        for receipt in done:
            self._count(receipt, fresh=False)
        self._thread = threading.Thread(target=self._repeat, name="tamis-live", daemon=True)

    def __enter__(self) -> Live:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for path in (STATUS, METRICS):
            with suppress(OSError):
                self._storage.delete(path)

    def unit(self, step: str, done: int, total: int, receipts: Sequence[Receipt]) -> None:
        """Take note of a finished unit."""
        with self._lock:
            now = time.monotonic() - self._clock
            at = self._steps.setdefault(step, {"began": now - max(receipts[-1].seconds, 0.0), "units": 0})
            at |= {"done": done, "total": total, "units": at["units"] + 1, "last": now}
            for receipt in receipts:
                self._count(receipt, fresh=True)

    def _count(self, receipt: Receipt, *, fresh: bool) -> None:
        last = receipt.ledger[-1][0] if receipt.ledger else ""
        for step, language, outcome, _, documents, size, _, tokens in receipt.ledger:
            if receipt.step == _SIFT and step == last and outcome == "kept":
                self._tokens[language] = self._tokens.get(language, 0) + tokens
            if step == _READ and outcome == "in":
                self._read[0] += documents
                self._read[1] += size
                self._read[2] += size if fresh else 0

    def snapshot(self) -> dict[str, Any]:
        """Return the state of the run as JSON holds it."""
        with self._lock:
            elapsed = time.monotonic() - self._clock
            return {
                "pid": os.getpid(),
                "host": platform.node(),
                "began": round(self._began, 3),
                "updated": round(time.time(), 3),
                "seconds": round(elapsed, 3),
                "documents_read": self._read[0],
                "bytes_read": self._read[1],
                "bytes_per_second": round(self._read[2] / elapsed, 1) if elapsed else 0.0,
                "tokens": dict(sorted(self._tokens.items(), key=lambda item: (-item[1], item[0]))),
                "steps": {step: _outlook(at) for step, at in self._steps.items()},
            }

    def _repeat(self) -> None:
        while not self._stop.is_set():
            self.write()
            self._stop.wait(EVERY_S)

    def write(self) -> None:
        """Write both files. A disk that does not take them has worse to say elsewhere."""
        state = self.snapshot()
        with suppress(OutputError, OSError):
            self._storage.write(STATUS, (json.dumps(state, indent=1) + "\n").encode())
            self._storage.write(METRICS, metrics(state).encode())


def _outlook(at: dict[str, float]) -> dict[str, Any]:
    """Return a step's units and how long the others will take: [low, likely, high] seconds, None when done."""
    left = at["total"] - at["done"]
    found: dict[str, Any] = {"done": int(at["done"]), "total": int(at["total"])}
    if not left:
        return found | {"left_seconds": None}
    each = max(at["last"] - at["began"], 1e-3) / max(at["units"], 1)
    doubt = 1.0 / max(at["units"], 1) ** 0.5
    return found | {"left_seconds": [round(left * each * factor, 1) for factor in (1 / (1 + doubt), 1.0, 1 + doubt)]}


def metrics(state: dict[str, Any]) -> str:
    """Return a state in Prometheus' text format."""
    lines = []
    for name, kind, text, samples in (
        ("tamis_units_done", "gauge", "Finished units of work.", _by_step(state, "done")),
        ("tamis_units", "gauge", "Units of work in all.", _by_step(state, "total")),
        ("tamis_documents_read_total", "counter", "Records read.", {"": state["documents_read"]}),
        ("tamis_bytes_read_total", "counter", "Payload bytes read.", {"": state["bytes_read"]}),
        ("tamis_tokens", "gauge", "Tokens of documents that passed every filter.", _by_language(state)),
        ("tamis_updated_seconds", "gauge", "When this was written, as a Unix time.", {"": state["updated"]}),
    ):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{labels} {value}" for labels, value in samples.items()]
    return "\n".join(lines) + "\n"


def _by_step(state: dict[str, Any], key: str) -> dict[str, int]:
    return {f'{{step="{step}"}}': at[key] for step, at in state["steps"].items()}


def _by_language(state: dict[str, Any]) -> dict[str, int]:
    return {f'{{language="{code}"}}': tokens for code, tokens in state["tokens"].items()}
