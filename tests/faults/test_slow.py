"""What is slow, or silent, downstream: nothing runs ahead of it, and a long silence is told."""

from __future__ import annotations

import gzip
import io
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import tamis
from tamis import progress
from tamis.pipeline import extraction, live, local
from tamis.pipeline.executor import load
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.pages import BATCH_PAGES
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import Sink
from tamis.warc.record import Record


def page(number: int) -> bytes:
    body = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><p>Page {number} of many.".encode() + b" more" * 30
    head = "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
    head += f"WARC-Target-URI: https://example.org/{number}\r\nContent-Length: {len(body)}\r\n\r\n"
    return gzip.compress(head.encode() + body + b"\r\n\r\n", 1, mtime=0)


def test_a_slow_disk_stops_the_reader(plain_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages that were read and not yet written are never more than a batch of each, however slow writing is."""
    source = tmp_path / "in.warc.gz"
    source.write_bytes(b"".join(page(number) for number in range(3000)))
    read, ahead, write = 0, [0], Sink.write

    def counted(records: Iterable[Record], name: str, facts: dict[str, Any]) -> Iterator[Record]:
        nonlocal read
        for record in records:
            read += 1
            yield record

    def slow(sink: Sink, data: Any) -> int:
        if "work/extract" in sink._name and read < 3000:
            time.sleep(0.01)
            ahead.append(read - sink.rows)
        return write(sink, data)

    monkeypatch.setattr(extraction, "watched", counted)
    monkeypatch.setattr(Sink, "write", slow)
    tamis.run(source, tmp_path / "out", recipe=plain_recipe, executor="inline")
    assert read == 3000
    assert 0 < max(ahead) <= extraction.TEXT_ROWS + BATCH_PAGES


def note(shard: Shard) -> tuple[Receipt, ...]:
    (Path(shard.payload["folder"]) / shard.name).touch()
    return (Receipt(shard.step, shard.name, shard.fingerprint),)


@pytest.mark.parametrize(("name", "each"), [("local", 1), ("ray", 2)])
def test_units_wait_for_a_driver_that_takes_its_time(name: str, each: int, tmp_path: Path) -> None:
    if name == "ray":
        pytest.importorskip("ray")
    executor, taken = load(name, 2), 0
    shards = [Shard("s", f"{number:02d}", "f", {"folder": str(tmp_path)}) for number in range(16)]
    try:
        for _ in executor.run(note, shards):
            taken += 1
            time.sleep(0.1)
            assert len(list(tmp_path.iterdir())) <= taken + 2 * each
    finally:
        executor.close()
    assert taken == 16


def linger(shard: Shard) -> tuple[Receipt, ...]:
    time.sleep(1.0)
    return (Receipt(shard.step, shard.name, shard.fingerprint),)


def test_a_long_silence_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    assert local.PATIENCE_S < 60
    monkeypatch.setattr(local, "PATIENCE_S", 0.2)
    executor = load("local", 1)
    try:
        with caplog.at_level(logging.WARNING, "tamis"):
            list(executor.run(linger, [Shard("s", "a", "f"), Shard("s", "b", "f")]))
    finally:
        executor.close()
    assert "1 are under way, 1 wait." in caplog.text


@pytest.mark.parametrize("as_json", [False, True])
def test_a_run_of_five_minutes_leaves_a_short_log(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [1000.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.progress(Console(file=said), as_json=as_json) as tell:
        for step in ("sift", "pair", "cluster", "resolve", "verdict", "documents", "tokenize"):
            for done in range(1, 501):
                now[0] += 300 / 3500
                tell(step, done, 500, Receipt(step, str(done), "f"))
    lines = said.getvalue().splitlines()
    assert 7 <= len(lines) < 200
    assert not {"\r", "\x1b"} & set(said.getvalue())


def test_the_status_is_written_while_no_unit_is_done(
    plain_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live.EVERY_S <= 10
    monkeypatch.setattr(live, "EVERY_S", 0.1)
    source, seen = tmp_path / "in.warc.gz", set()
    source.write_bytes(page(0))
    run = extraction.Extraction.run

    def slow(*given: Any) -> Any:
        for _ in range(8):
            time.sleep(0.1)
            seen.add((tmp_path / "out" / live.STATUS).read_bytes())
        return run(*given)

    monkeypatch.setattr(extraction.Extraction, "run", slow)
    tamis.run(source, tmp_path / "out", recipe=plain_recipe, executor="inline")
    assert len(seen) > 2
