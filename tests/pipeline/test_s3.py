"""A run from and to an object store, against a server that speaks the real protocol."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import tamis
from tamis.errors import OutputError
from tamis.pipeline.executor import InlineExecutor
from tamis.pipeline.journal import FAN, Journal
from tamis.pipeline.manifest import NAME, Manifest, Receipt
from tamis.pipeline.origin import NAME as INPUT
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import InputFiles, Storage, filesystem

FINGERPRINT = re.compile(rb'"fingerprint": "[0-9a-f]{16}"')


@pytest.fixture(scope="module")
def bucket(s3: None) -> str:
    """A bucket of a server on this machine, found by the environment alone."""
    import boto3

    boto3.client("s3").create_bucket(Bucket="crawl")
    return "s3://crawl"


def stored(folder: str) -> dict[str, bytes]:
    storage = Storage(folder)
    return {path: storage.read(path) for path in storage.list("")}


def unlike(found: dict[str, bytes], reference: dict[str, bytes]) -> list[str]:
    """Return the paths whose bytes differ. Fingerprints depend on the place, for an object is known by its size alone,
    and so does what is noted of where the input lies."""
    assert found.keys() == reference.keys()
    found, reference = ({**each, NAME: FINGERPRINT.sub(b"", each[NAME]), INPUT: b""} for each in (found, reference))
    return [path for path in found if found[path] != reference[path]]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def crawl(bucket: str, miniweb: Path) -> str:
    """The mini web in the bucket; returns its manifest."""
    files, base = filesystem(f"{bucket}/input")
    for path in sorted(miniweb.parent.iterdir()):
        with path.open("rb") as source, files.open_output_stream(f"{base}/{path.name}", compression=None) as target:
            shutil.copyfileobj(source, target)
    return f"{bucket}/input/{miniweb.name}"


@pytest.fixture(scope="module")
def reference(miniweb: Path, plain_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("reference") / "out"
    tamis.run(miniweb, output, recipe=plain_recipe, executor="inline")
    return tree(output)


class Stops(InlineExecutor):
    """Stops as a killed driver would, after so many units."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.units: list[str] = []

    def run(self, work: Any, shards: Any) -> Any:
        for shard in shards:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.units.append(str(shard))
            yield work(shard)


def test_the_output_on_an_object_store_is_that_on_a_disk(
    crawl: str, bucket: str, plain_recipe: Path, reference: dict[str, bytes]
) -> None:
    tamis.run(crawl, f"{bucket}/out", recipe=plain_recipe, executor="local", workers=2)
    found = stored(f"{bucket}/out")
    assert unlike(found, reference) == []


def test_a_run_on_an_object_store_resumes_after_every_unit(
    crawl: str, bucket: str, plain_recipe: Path, reference: dict[str, bytes]
) -> None:
    done: list[str] = []
    for after in (2, 3, 100):
        executor = Stops(after)
        try:
            tamis.run(crawl, f"{bucket}/resumed", recipe=plain_recipe, executor=executor)
        except KeyboardInterrupt:
            assert Storage(f"{bucket}/resumed").list(f"{NAME}.d")
        done += executor.units
    assert len(done) == len(set(done))
    assert unlike(stored(f"{bucket}/resumed"), reference) == []


def test_a_warc_in_a_bucket_and_a_glob_of_them(crawl: str, bucket: str) -> None:
    files = InputFiles("unused")
    found = files.list(f"{bucket}/input/*.warc.gz")
    assert len(found) == 3
    assert all(files.size(uri) for uri in found)
    with files.open(found[0]) as stream:
        assert stream.read(2) == b"\x1f\x8b"
    assert files.size(f"{bucket}/input/none") is None


def test_a_bucket_that_does_not_exist_is_an_output_error(bucket: str) -> None:
    with pytest.raises(OutputError, match="nobody"):
        Storage("s3://nobody-has-this/out").probe()


def test_an_object_that_was_not_finished_never_appears(bucket: str) -> None:
    storage = Storage(f"{bucket}/half")
    with pytest.raises(RuntimeError), storage.create("a.bin") as sink:
        sink.write(b"half")
        raise RuntimeError
    assert storage.list("") == []


def test_what_is_called_gz_is_stored_as_it_is(bucket: str) -> None:
    storage = Storage(f"{bucket}/gz")
    storage.write("a.jsonl.gz", b"\x1f\x8b as it is")
    assert storage.read("a.jsonl.gz") == b"\x1f\x8b as it is"


def test_a_journal_without_append_stays_small(bucket: str) -> None:
    storage = Storage(f"{bucket}/journal")
    journal, lines = Journal(storage, "log"), [f"{number}\n".encode() for number in range(FAN + FAN // 2)]
    for line in lines:
        journal.add(line)
    assert len(storage.list("log.d")) == 1 + FAN // 2
    assert Journal(storage, "log").read() == b"".join(lines)
    again = Journal(storage, "log")
    again.add(b"more\n")
    assert again.read() == b"".join(lines) + b"more\n"
    again.replace(b"sealed\n")
    assert storage.list("") == ["log"]
    assert Journal(storage, "log").read() == b"sealed\n"


def test_a_kill_between_merging_parts_and_removing_them_repeats_nothing(bucket: str) -> None:
    storage = Storage(f"{bucket}/torn")
    for name, data in (("0-63", b"merged"), ("0-0", b"a"), ("5-5", b"b"), ("64-64", b"after")):
        first, _, last = name.partition("-")
        storage.write(f"log.d/{int(first):010d}-{int(last):010d}", data)
    assert Journal(storage, "log").read() == b"mergedafter"


def test_a_manifest_on_an_object_store_is_found_again(bucket: str) -> None:
    storage = Storage(f"{bucket}/manifest")
    for name in "ab":
        Manifest(storage).add(Receipt("s", name, "f"))
    again = Manifest(storage)
    assert [receipt.shard for receipt in again.all()] == ["a", "b"]
    again.void([Shard("s", "a", "g")])
    again.seal(["s"], [Shard("s", "b", "f")])
    assert storage.list("") == [NAME]
    assert os.environ["AWS_ENDPOINT_URL"] not in storage.read(NAME).decode()
