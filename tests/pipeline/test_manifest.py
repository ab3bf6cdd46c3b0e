from __future__ import annotations

from pathlib import Path

import pytest

from tamis.errors import BooksError
from tamis.pipeline.manifest import NAME, Manifest, Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import FileEntry, Storage

BALANCED = (("s", "und", "in", "", 1, 2, 3, 4), ("s", "und", "kept", "", 1, 2, 3, 4))


def receipt(shard: str, fingerprint: str = "f", **more: object) -> Receipt:
    return Receipt("s", shard, fingerprint, BALANCED, **more)  # type: ignore[arg-type]


def test_receipts_are_found_again_by_fingerprint(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    entry = FileEntry("work/x", 1, 2, "c")
    Manifest(storage).add(receipt("a", files=(entry,), facts={"k": 1}, seconds=1.5))
    again = Manifest(storage)
    found = again.get(Shard("s", "a", "f"))
    assert found is not None
    assert (found.files, found.facts, found.ledger) == ((entry,), {"k": 1}, BALANCED)
    assert again.get(Shard("s", "a", "other")) is None
    assert again.missing([Shard("s", "a", "f"), Shard("s", "b", "f")]) == [Shard("s", "b", "f")]


def test_a_receipt_that_does_not_balance_is_refused(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    with pytest.raises(BooksError):
        Manifest(storage).add(Receipt("s", "a", "f", BALANCED[:1]))
    assert not storage.exists(NAME)


def test_a_torn_last_line_is_as_if_never_written(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    manifest = Manifest(storage)
    manifest.add(receipt("a"))
    whole = storage.read(NAME)
    for cut in range(len(whole)):
        storage.write(NAME, whole[:cut])
        Manifest(storage).add(receipt("b"))
        assert {each.shard for each in Manifest(storage).all()} >= {"b"}


def test_a_voided_receipt_stays_void(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    manifest = Manifest(storage)
    manifest.add(receipt("a"))
    manifest.void([Shard("s", "a", "new"), Shard("s", "never", "new")])
    assert Manifest(storage).all() == []


def test_sealing_is_independent_of_arrival_and_time(tmp_path: Path) -> None:
    sealed = []
    for order in (("a", "b", "c"), ("c", "a", "b")):
        storage = Storage(str(tmp_path / "".join(order)))
        manifest = Manifest(storage)
        for index, name in enumerate(order):
            manifest.add(receipt(name, seconds=float(index)))
        manifest.add(receipt("stale"))
        manifest.seal(["s"], [Shard("s", name, "f") for name in "abc"])
        sealed.append(storage.read(NAME))
    assert sealed[0] == sealed[1]
    assert b"stale" not in sealed[0]
    assert b"seconds" not in sealed[0]
