"""Manifests: every form a run can be pointed at, and what is said of those it cannot."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tamis.errors import InputError
from tamis.warc.manifest import LocalFiles, Source, resolve, split


@pytest.fixture
def crawl(tmp_path: Path, made: Any) -> Path:
    folder = tmp_path / "crawl-data" / "CC-MAIN-2026-01"
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name}.warc.gz").write_bytes(made.packed(*made.records))
    return tmp_path


A, B = "crawl-data/CC-MAIN-2026-01/a.warc.gz", "crawl-data/CC-MAIN-2026-01/b.warc.gz"


class Remote(LocalFiles):
    """Local files, and a web where everything exists."""

    def size(self, uri: str) -> int | None:
        return 1000 if "://" in uri else super().size(uri)


def names(sources: list[Source]) -> list[str]:
    return [source.name for source in sources]


@pytest.mark.parametrize("name", ["warc.paths", "warc.paths.gz", "list.txt", "whatever"])
def test_lists_of_paths(crawl: Path, name: str) -> None:
    lines = f"# a comment\n{B}\n\n{A}\r\n{B}\n".encode()
    (crawl / name).write_bytes(gzip.compress(lines, mtime=0) if name.endswith("gz") else lines)
    sources = resolve(str(crawl / name), LocalFiles())
    assert names(sources) == [B, A]
    assert [Path(source.uri) for source in sources] == [crawl / B, crawl / A]
    assert all(not source.problem and source.kind == "warc" and source.size for source in sources)


def test_lines_of_every_form(crawl: Path) -> None:
    elsewhere = str(crawl / A)
    lines = [
        "crawl-data/far/c.warc.gz",
        A,
        "https://x.org/d.warc.gz",
        "s3://bucket/e.warc.wet.gz",
        elsewhere,
        "no/f.warc",
    ]
    (crawl / "m.paths").write_text("\n".join(lines))
    sources = resolve(str(crawl / "m.paths"), Remote(), prefix="https://cc.example/")
    assert names(sources) == lines
    assert [source.uri for source in sources] == ["https://cc.example/" + lines[0], str(crawl / A), *lines[2:]]
    assert [source.problem for source in sources] == ["", "", "", "", "", "not found"]


def test_working_folder_comes_second(crawl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "m.paths").write_text(A)
    monkeypatch.chdir(crawl)
    assert resolve("lists/m.paths", LocalFiles())[0].uri == A


def test_missing_and_empty_sources_are_told(crawl: Path) -> None:
    (crawl / "empty.warc.gz").write_bytes(b"")
    (crawl / "m.paths").write_text(f"gone.warc.gz\nempty.warc.gz\n{A}")
    assert [source.problem for source in resolve(str(crawl / "m.paths"), LocalFiles())] == [
        "not found",
        "empty file",
        "",
    ]


def test_folder_and_glob(crawl: Path) -> None:
    (crawl / "notes.log").write_text("not input")
    (crawl / "more.jsonl").write_text('{"text": "x"}')
    assert [Path(name).name for name in names(resolve(str(crawl), LocalFiles()))] == [
        "a.warc.gz",
        "b.warc.gz",
        "more.jsonl",
    ]
    assert len(resolve(f"{crawl}/crawl-data/*/a*.gz", LocalFiles())) == 1
    for nothing in (f"{crawl}/*.nothing", str(crawl / "crawl-data" / "void")):
        Path(crawl / "crawl-data" / "void").mkdir(exist_ok=True)
        with pytest.raises(InputError):
            resolve(nothing, LocalFiles())


def test_single_files_by_content(tmp_path: Path, made: Any) -> None:
    warc = made.packed(*made.records)
    files = {
        "x.warc.gz": (warc, "warc"),
        "no-name": (warc, "warc"),
        "plain.warc": (made.records[0], "warc"),
        "broken.warc.gz": (b"\x1f\x8b\x08" + b"x" * 100, "warc"),
        "x.jsonl": (b'{"text": "x"}\n', "jsonl"),
        "x.jsonl.zst": (zstandard.compress(b'{"text": "x"}\n'), "jsonl"),
        "x.jsonl.gz": (gzip.compress(b'{"text": "x"}\n', mtime=0), "jsonl"),
        "x.parquet": (b"PAR1....PAR1", "parquet"),
        "x.txt": (b"Some prose that is long enough, and no path at all.\n", "text"),
    }
    for name, (data, kind) in files.items():
        (tmp_path / name).write_bytes(data)
        source = resolve(str(tmp_path / name), LocalFiles())[0]
        assert (source.kind, source.problem, source.size) == (kind, "", len(data)), name


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("gone.paths", None, "does not exist"),
        ("empty.paths", b"", "is empty"),
        ("blank.paths", b"\n# nothing\n\n", "names no file"),
        ("page.warc.gz", b"<Error><Code>SlowDown</Code></Error>", "not a WARC, nor a list of paths"),
        ("page", b"<!doctype html><title>x</title>", "not a WARC, nor a list of paths"),
        ("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not a WARC, nor a list of paths"),
        ("prose", b"This is prose and has no path in any line.\n", "not a WARC, nor a list of paths"),
        ("cut.paths.gz", gzip.compress(b"a.warc.gz\n" * 3000, mtime=0)[:-9], "is damaged"),
    ],
)
def test_bad_manifests(tmp_path: Path, name: str, data: bytes | None, says: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says) as raised:
        resolve(str(tmp_path / name), LocalFiles())
    assert raised.value.hint


def test_spans_cover_a_file_without_overlap() -> None:
    for size in (0, 1, 99, 100, 101, 1000, 12345):
        spans = split(Source("x", "x.warc.gz", "warc", size), unit_bytes=100)
        assert spans[0].start == 0 and spans[-1].end is None
        assert all(before.end == after.start for before, after in itertools.pairwise(spans))
        assert all((span.end or size) - span.start <= 150 for span in spans)


@pytest.mark.parametrize(
    ("uri", "kind"),
    [("x.jsonl.gz", "jsonl"), ("x.jsonl.zst", "jsonl"), ("x", "text"), ("x", "parquet"), ("x.lz4", "warc")],
)
def test_what_cannot_be_cut_is_one_span(uri: str, kind: Any) -> None:
    assert len(split(Source(uri, uri, kind, 1000), unit_bytes=10)) == 1
