"""Pages that end, stall or fill their extractor, in a run: each is set aside once, and no other page changes."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tamis

HOSTILE = Path(__file__).resolve().parents[1] / "extract" / "hostile.py"
DEEDS = {
    "SEGFAULT": "crash",
    "ABORT": "crash",
    "EXIT0": "crash",
    "SYSTEMEXIT": "crash",
    "SLEEP": "timeout",
    "SPIN": "timeout",
    "RAISE": "error",
}
PAGES = 200
PLACES = {5 + 23 * index: deed for index, deed in enumerate(DEEDS)}


def record(number: int, body: str) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body.encode()
    head = "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
    head += f"WARC-Target-URI: https://example.org/{number}\r\nContent-Length: {len(http)}\r\n\r\n"
    return gzip.compress(head.encode() + http + b"\r\n\r\n", 1, mtime=0)


def page(number: int, deed: str = "") -> str:
    words = " ".join(f"word{(number * 7 + place) % 97}" for place in range(60))
    told = f"!{deed}!" if deed else ""
    return f"<html><head><title>{number}</title></head><body><p>{told} Page {number} of many. {words}</p></body></html>"


def run(folder: Path, deeds: dict[int, str]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return texts by URL, and what was set aside."""
    folder.mkdir()
    warc = folder / "in.warc.gz"
    warc.write_bytes(b"".join(record(number, page(number, deeds.get(number, ""))) for number in range(PAGES)))
    recipe = folder / "bombs.toml"
    spec = f"{HOSTILE}:Hostile"
    recipe.write_text(f'name = "bombs"\n[extract]\nextractor = "{spec}"\ndeadline_seconds = 1.0\n')
    tamis.run(warc, folder / "out", recipe=recipe, executor="inline")
    kept = pa.concat_tables([pq.read_table(path) for path in sorted((folder / "out" / "documents").iterdir())])
    dropped = pa.concat_tables([pq.read_table(path) for path in sorted((folder / "out" / "dropped").iterdir())])
    return dict(zip(kept["url"].to_pylist(), kept["text"].to_pylist(), strict=True)), dropped.to_pylist()


@pytest.mark.slow
def test_bombs_among_good_pages(tmp_path: Path) -> None:
    clean, nothing = run(tmp_path / "clean", {})
    assert (len(clean), nothing) == (PAGES, [])
    found, dropped = run(tmp_path / "bombed", PLACES)
    good = {f"https://example.org/{number}" for number in range(PAGES) if number not in PLACES}
    assert found == {url: clean[url] for url in good}
    assert {row["url"]: row["reason"] for row in dropped} == {
        f"https://example.org/{number}": DEEDS[deed] for number, deed in PLACES.items()
    }
    crashed = next(row for row in dropped if row["reason"] == "crash")
    assert "SIGSEGV" in crashed["detail"]
    assert crashed["id"].rpartition(":")[2].isdigit()
