"""The shelf: units of earlier runs and of this one, numbered in that order, as deduplication compares them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.dedup.documents import Docs, units_of
from tamis.dedup.minhash import SIGNATURE
from tamis.dedup.options import DedupOptions
from tamis.errors import InputError
from tamis.pipeline.arrowfiles import signatures_path
from tamis.pipeline.curate import SIFT
from tamis.pipeline.manifest import NAME
from tamis.pipeline.step import digest
from tamis.pipeline.storage import Storage
from tamis.pipeline.verified import opened


@dataclass(frozen=True, slots=True)
class Shelf:
    """`places` are the units as (folder, name), of earlier runs first; those from number `first` on are this run's."""

    places: tuple[tuple[Storage, str], ...]
    first: int

    def is_new(self, docs: Docs) -> npt.NDArray[np.bool_]:
        """Return which documents are of this run, shape (n,)."""
        new: npt.NDArray[np.bool_] = units_of(docs) >= self.first
        return new

    def path_of(self, unit: int) -> str:
        """Return a unit's name in messages and in ids that cannot be told otherwise."""
        storage, name = self.places[unit]
        return f"{storage.root}/{name}"


def stock(storage: Storage, units: Sequence[str], options: DedupOptions) -> Shelf:
    """Return the shelf of a run. Raises InputError where an earlier run cannot be compared with."""
    places: list[tuple[Storage, str]] = []
    for root in options.against:
        old = Storage(root)
        names = _units(root)
        if names:
            _agree(old, names[0], options)
        places += [(old, name) for name in names]
    return Shelf((*places, *((storage, unit) for unit in units)), len(places))


@lru_cache(maxsize=8)
def _units(root: str) -> tuple[str, ...]:
    """Return the units of a finished run, in manifest order."""
    storage = Storage(root)
    if not storage.exists(NAME):
        raise InputError(f"{root} holds no finished run.", "dedup.against names output folders of `tamis run`.")
    records = [json.loads(line) for line in storage.read(NAME).splitlines() if line.strip()]
    return tuple(sorted(record["shard"] for record in records if record.get("step") == SIFT))


def contents(root: str) -> str:
    """Return a fingerprint of the signatures that a finished run holds. Raises InputError where there is none."""
    if not _units(root):
        return digest([])
    records = [json.loads(line) for line in Storage(root).read(NAME).splitlines() if line.strip()]
    return digest(
        sorted(
            [record["shard"], entry["checksum"]]
            for record in records
            for entry in record.get("files", ())
            if entry["path"].startswith("signatures/")
        )
    )


def _agree(storage: Storage, unit: str, options: DedupOptions) -> None:
    path = signatures_path(unit)
    if not storage.exists(path):
        raise InputError(f"{storage.root} has no signatures.", "Run it with [dedup] and keep_sets = true.")
    with opened(storage, path) as file:
        schema = pa.ipc.open_file(file).schema
    theirs = (schema.field("exact").metadata or {}).get(SIGNATURE, b"unknown").decode()
    if theirs != options.signature:
        raise InputError(
            f"The signatures of {storage.root} were made with {theirs}, these with {options.signature}.",
            "Use the same options for both.",
        )
    if "set" not in schema.names:
        raise InputError(f"{storage.root} stored no shingle sets.", "Run it with keep_sets = true under [dedup].")
