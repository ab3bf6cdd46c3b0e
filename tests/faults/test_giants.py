"""Documents and pages of absurd size, among ordinary ones, under one budget: they cost themselves alone."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

MB = 1_000_000
WORDS = "the sieve lets fall what is fine and keeps the coarse flour for the mill "

Run = Callable[..., tuple[int, int]]


@pytest.fixture
def run(watched_run: Run) -> Run:
    """A function that returns the exit code of a run over a folder's `in`, and the most MB that it held at once."""

    def over(folder: Path, *more: str) -> tuple[int, int]:
        recipe = folder / "giants.toml"
        recipe.write_text('name = "giants"\n[extract]\nextractor = "trafilatura"\ndeadline_seconds = 2.0\n')
        given = (str(folder / "in"), str(folder / "out"), "--recipe", str(recipe), "--workers", "1")
        code, most = watched_run(*given, *more)
        return code, most // MB

    return over


def fates(output: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(output.glob("d*/*.parquet")):
        columns = [name for name in ("id", "reason") if name in pq.read_schema(path).names]
        for row in pq.read_table(path, columns=columns).to_pylist():
            yield row["id"], row.get("reason") or "kept"


def ordinary(count: int) -> str:
    return "".join(json.dumps({"id": f"d{number}", "text": f"{number} {WORDS * 3}"}) + "\n" for number in range(count))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "size"), [("jsonl", 270), ("txt", 100), ("parquet", 100)])
def test_one_giant_document_breaks_nothing(run: Run, kind: str, size: int, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    text = WORDS * (size * MB // len(WORDS))
    path = tmp_path / "in" / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({"id": ["giant"], "text": pa.array([text], pa.large_string())}), path)
    else:
        path.write_text(text if kind == "txt" else json.dumps({"id": "giant", "text": text}) + "\n")
    (tmp_path / "in" / "b.jsonl").write_text(ordinary(50))
    code, peak = run(tmp_path, "--memory", "2GB")
    assert code == 0
    found = dict(fates(tmp_path / "out"))
    assert sum(found.pop(f"d{number}") == "kept" for number in range(50)) == 50
    assert len(found) == 1  # the giant, whatever became of it
    assert peak < 2000


def page(number: int, body: bytes) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    head = "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
    head += f"WARC-Target-URI: https://example.org/{number}\r\nContent-Length: {len(http)}\r\n\r\n"
    return gzip.compress(head.encode() + http + b"\r\n\r\n", 1, mtime=0)


@pytest.mark.slow
def test_giant_pages_cost_the_worker_little(run: Run, tmp_path: Path) -> None:
    good = [page(number, f"<html><p>{number} {WORDS * 5}</p>".encode()) for number in range(40)]
    bombs = [
        page(100, b"<html><p>" + b"word " * (40 * MB)),
        page(101, b"<html>" + b"<div>" * 1_000_000 + b"deep"),
        page(102, b'<html><table><tr><td colspan="9007199254740991">wide</td></tr></table>' + b" " * 1000),
    ]
    peaks = []
    for name, records in (("clean", good), ("bombed", [*good[:20], *bombs, *good[20:]])):
        folder = tmp_path / name
        (folder / "in").mkdir(parents=True)
        (folder / "in" / "a.warc.gz").write_bytes(b"".join(records))
        code, peak = run(folder)
        assert code == 0
        peaks.append(peak)
        kept = [ident for ident, fate in fates(folder / "out") if fate == "kept"]
        assert len(kept) >= 40
    assert len(list(fates(tmp_path / "bombed" / "out"))) == 43
    assert peaks[1] < peaks[0] + 300
