"""Files that end early are told as such, whatever packs them, and what decided the charset of pages is counted."""

from __future__ import annotations

import gzip
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

import tamis
from tamis.pipeline.readings import CHARSETS
from tamis.warc.texts import TextReader

ROWS = 400


def lines(count: int = ROWS) -> bytes:
    chance = random.Random(4)
    words = ["sieve", "flour", "bread", "grain", "coarse", "fine", "mill", "stone", "water", "wheel", "sack"]
    rows = [{"id": f"d{number}", "text": " ".join(chance.choices(words, k=60))} for number in range(count)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def frames(data: bytes) -> bytes:
    """Return the data in several frames of several kinds, as `zstd -T` and `cat` leave it."""
    plain, summed = zstandard.ZstdCompressor(write_content_size=False), zstandard.ZstdCompressor(write_checksum=True)
    third = len(data) // 3
    skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    return plain.compress(data[:third]) + skippable + summed.compress(b"") + summed.compress(data[third:])


PACKS = {"gz": gzip.compress, "zst": zstandard.compress, "frames.zst": frames}


@pytest.mark.parametrize("name", PACKS)
def test_a_packed_file_that_was_cut_is_never_taken_for_whole(name: str) -> None:
    data, chance = PACKS[name](lines()), random.Random(name)
    reader = TextReader(io.BytesIO(data), name, "jsonl")
    assert sum(batch.num_rows for batch in reader) == ROWS
    assert reader.problems == []
    for cut in (len(data) - 1, *chance.sample(range(20, len(data)), 60)):
        reader = TextReader(io.BytesIO(data[:cut]), name, "jsonl")
        found = [row for batch in reader for row in batch.column("id").to_pylist()]
        assert found == [f"d{number}" for number in range(len(found))]
        # A cut between two frames cannot be told from the end.
        told = [problem.reason for problem in reader.problems]
        assert told == ["truncated"] or (name == "frames.zst" and told in ([], ["json"]))


def test_a_bomb_in_a_packed_file_is_bounded() -> None:
    data = zstandard.compress(b" " * (600 << 20))
    reader = TextReader(io.BytesIO(data), "bomb.jsonl.zst", "jsonl")
    assert list(reader) == []


def command(source: Path, output: Path, recipe: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tamis", "run", str(source), str(output), "--recipe", str(recipe)]
    return subprocess.run([*line, "--executor", "inline"], capture_output=True, text=True, check=False)


def cut_crawl(miniweb: Path, folder: Path) -> tuple[Path, Path, bytes]:
    """Return a manifest of two WARCs, one cut, where that lies, and what it was."""
    names = ["miniweb-00000.warc.gz", "miniweb-00001.warc.gz"]
    for name in names:
        (folder / name).write_bytes((miniweb.parent / name).read_bytes())
    whole = (folder / names[1]).read_bytes()
    (folder / names[1]).write_bytes(whole[: len(whole) // 2 + 100])
    (folder / "crawl.paths").write_text("".join(f"{folder / name}\n" for name in names))
    return folder / "crawl.paths", folder / names[1], whole


def test_a_crawl_with_a_cut_file_is_done_and_says_so(miniweb: Path, plain_recipe: Path, tmp_path: Path) -> None:
    manifest, cut, whole = cut_crawl(miniweb, tmp_path)
    done = command(manifest, tmp_path / "out", plain_recipe)
    assert done.returncode == 8, done.stderr
    assert f"{cut.name}: ends early" in done.stderr
    budget = json.loads((tmp_path / "out" / "report" / "budget.json").read_text())
    assert [each["problem"].startswith("ends early") for each in budget["problems"]] == [True]
    # Mended, it is read, and the rest is not read again.
    cut.write_bytes(whole)
    again = {step.step: step.missing for step in tamis.plan(manifest, tmp_path / "out", recipe=plain_recipe)}
    assert again["extract"] == 1
    assert command(manifest, tmp_path / "out", plain_recipe).returncode == 0


def test_an_empty_file_among_others_is_told(miniweb: Path, plain_recipe: Path, tmp_path: Path) -> None:
    manifest, cut, _ = cut_crawl(miniweb, tmp_path)
    cut.write_bytes(b"")
    report = tamis.run(manifest, tmp_path / "out", recipe=plain_recipe, executor="inline")
    assert [source.problem for source in report.problems] == ["empty file"]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
def test_a_cut_file_of_texts_is_told(pack: Callable[[bytes], bytes], plain_recipe: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(pack(lines())[:-9])
    report = tamis.run(source, tmp_path / "out", recipe=plain_recipe, executor="inline")
    assert [source.problem[:10] for source in report.problems] == ["ends early"]


def test_what_decided_the_charsets_stands_in_the_report(plain_recipe: Path, tmp_path: Path) -> None:
    def record(number: int, http: str, page: bytes) -> bytes:
        body = f"HTTP/1.1 200 OK\r\nContent-Type: text/html{http}\r\n\r\n".encode() + page
        head = "WARC/1.0\r\nWARC-Type: response\r\nContent-Type: application/http; msgtype=response\r\n"
        head += f"WARC-Target-URI: https://example.org/{number}\r\nContent-Length: {len(body)}\r\n\r\n"
        return gzip.compress(head.encode() + body + b"\r\n\r\n", 1, mtime=0)

    text = "<p>Съешь же ещё этих мягких французских булок да выпей чаю, пока он горячий и вкусный.</p>" * 3
    meta = b"<meta charset=windows-1251>" + text.encode("cp1251")
    pages = [("", text.encode()), ("; charset=windows-1251", text.encode("cp1251")), ("", meta), ("", text.encode())]
    (tmp_path / "in.warc.gz").write_bytes(b"".join(record(number, *page) for number, page in enumerate(pages)))
    tamis.run(tmp_path / "in.warc.gz", tmp_path / "out", recipe=plain_recipe, executor="inline")
    receipts = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    (counts,) = [each["facts"][CHARSETS] for each in receipts if CHARSETS in each["facts"]]
    assert counts == {"utf-8": 2, "header": 1, "meta": 1}
    notes = json.loads((tmp_path / "out" / "report" / "budget.json").read_text())["notes"]
    assert "What decided the charset of pages: utf-8 2, header 1, meta 1." in notes
