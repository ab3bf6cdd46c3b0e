"""Pages that end, stall or fill their extractor, in a run: each is set aside once, and no other page changes."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tamis
from tamis.pipeline import inspect
from tamis.pipeline.replay import replay
from tamis.recipe import load

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
# The hostile extractor, which notes each page that it is handed.
NOTING = """
import importlib.util
spec = importlib.util.spec_from_file_location("hostile", {hostile!r})
hostile = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hostile)

class Noting(hostile.Hostile):
    def extract(self, html, url):
        with open({notes!r}, "a") as notes:
            notes.write(url + chr(10))
        return super().extract(html, url)
"""
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


def prepared(folder: Path, deeds: dict[int, str], pages: int = PAGES) -> tuple[Path, Path]:
    """Return a WARC of pages, some of which do something to their extractor, and a recipe with that extractor."""
    folder.mkdir()
    warc, recipe = folder / "in.warc.gz", folder / "bombs.toml"
    warc.write_bytes(b"".join(record(number, page(number, deeds.get(number, ""))) for number in range(pages)))
    (folder / "noting.py").write_text(NOTING.format(hostile=str(HOSTILE), notes=str(folder / "notes")))
    spec = f"{folder / 'noting.py'}:Noting"
    recipe.write_text(f'name = "bombs"\n[extract]\nextractor = "{spec}"\ndeadline_seconds = 1.0\n')
    return warc, recipe


def run(
    folder: Path, deeds: dict[int, str], pages: int = PAGES, **how: Any
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return texts by URL, and what was set aside."""
    warc, recipe = prepared(folder, deeds, pages)
    tamis.run(warc, folder / "out", recipe=recipe, **({"executor": "inline"} | how))
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
    assert sorted((row["url"], row["reason"]) for row in dropped) == sorted(
        (f"https://example.org/{number}", DEEDS[deed]) for number, deed in PLACES.items()
    )
    crashed = next(row for row in dropped if row["reason"] == "crash")
    assert "SIGSEGV" in crashed["detail"]
    assert crashed["id"].rpartition(":")[2].isdigit()


def test_workers_try_a_bad_page_twice_at_most_and_blame_no_other(tmp_path: Path) -> None:
    deeds = {7: "SEGFAULT", 19: "EXIT0", 20: "ABORT", 33: "SYSTEMEXIT"}
    given: dict[str, Any] = {"executor": "local", "workers": 2, "overrides": {"read.unit_bytes": 4_000}}
    found, dropped = run(tmp_path / "bombed", deeds, 60, **given)
    assert set(found) == {f"https://example.org/{number}" for number in range(60) if number not in deeds}
    assert sorted((row["url"], row["reason"]) for row in dropped) == sorted(
        (f"https://example.org/{number}", "crash") for number in deeds
    )
    tries = (tmp_path / "bombed" / "notes").read_text().splitlines()
    assert max(tries.count(f"https://example.org/{number}") for number in deeds) <= 2


def test_bombs_do_no_more_harm_in_another_thread(tmp_path: Path) -> None:
    said: list[tuple[dict[str, str], list[dict[str, Any]]]] = []
    thread = threading.Thread(target=lambda: said.append(run(tmp_path / "bombed", {3: "SLEEP", 8: "SEGFAULT"}, 20)))
    thread.start()
    thread.join(120)
    ((found, dropped),) = said
    assert len(found) == 18
    assert [(row["url"][-1], row["reason"]) for row in dropped] == [("3", "timeout"), ("8", "crash")]


def test_what_ended_an_extractor_is_seen_again_by_its_id(tmp_path: Path) -> None:
    warc, recipe = prepared(tmp_path / "bombed", {4: "SEGFAULT"}, 6)
    tamis.run(warc, tmp_path / "out", recipe=recipe, executor="inline")
    (fate,) = inspect.why(str(tmp_path / "out"), "https://example.org/4")
    assert (fate.row["step"], fate.row["reason"]) == ("extract", "crash")
    name, _, offset = fate.row["id"].rpartition(":")
    assert Path(name).name == "in.warc.gz"
    *_, last = replay(fate.row["id"], load(recipe).settings(), source=str(warc))
    assert (last.stage, last.found["reason"], last.found["id"]) == ("dropped", "crash", f"{name}:{offset}")
    assert "SIGSEGV" in last.found["detail"]
