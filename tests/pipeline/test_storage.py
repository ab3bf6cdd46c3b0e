from __future__ import annotations

import os
from pathlib import Path

import pytest
import xxhash

from tamis.errors import OutputError
from tamis.pipeline.storage import InputFiles, Storage


def test_a_file_appears_whole_with_its_size_and_checksum(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with storage.create("a/b.bin") as sink:
        sink.write(b"hello ")
        assert not (tmp_path / "a" / "b.bin").exists()
        sink.write(memoryview(b"world"))
        sink.rows = 2
    entry = sink.entry("a/b.bin")
    assert storage.read("a/b.bin") == b"hello world"
    assert (entry.bytes, entry.rows, entry.checksum) == (11, 2, xxhash.xxh3_64_hexdigest(b"hello world"))
    assert storage.list("a") == ["a/b.bin"]


def test_an_exception_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with pytest.raises(RuntimeError), storage.create("a.bin") as sink:
        sink.write(b"half")
        raise RuntimeError
    assert storage.list("") == []


def test_an_error_of_the_reader_is_not_taken_for_one_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), Storage(str(tmp_path)).create("a.bin"):
        raise FileNotFoundError("an input")


def test_appending_is_in_order(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    storage.append("log", b"1\n")
    storage.append("log", b"2\n")
    assert storage.read("log") == b"1\n2\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_unwritable_folder_is_an_output_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError):
        Storage(str(tmp_path / "out")).probe()


def test_a_file_where_the_folder_should_be_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError):
        Storage(str(tmp_path / "out")).probe()


def test_a_full_disk_is_an_output_error() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    from tamis.pipeline.storage import Sink

    with full.open("wb", buffering=0) as raw, pytest.raises(OutputError, match="No space left"):
        Sink(raw, "out/x").write(b"data")


def test_an_unknown_scheme_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="ftp"):
        Storage("ftp://host/out").probe()


def test_input_identity_changes_with_content(tmp_path: Path) -> None:
    path, files = tmp_path / "x", InputFiles(str(tmp_path / "cache"))
    path.write_bytes(b"a" * 1000)
    before = files.identity(str(path), 1000)
    path.write_bytes(b"a" * 999 + b"b")
    assert files.identity(str(path), 1000) != before


def test_globs_and_folders_list_sorted(tmp_path: Path) -> None:
    for name in ("b.warc", "a.warc", "c.txt", "d/e.warc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    files = InputFiles(str(tmp_path / "cache"))
    assert [Path(each).name for each in files.list(str(tmp_path))] == ["a.warc", "b.warc", "c.txt", "e.warc"]
    assert [Path(each).name for each in files.list(f"{tmp_path}/[ab].warc")] == ["a.warc", "b.warc"]
