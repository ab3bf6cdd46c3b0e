"""Inspect: questions to an output folder, answered from its manifest and files: how far, why, and is all there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from tamis.budget.ledger import Ledger
from tamis.errors import OutputError
from tamis.pipeline.alarms import Alarm, alarms
from tamis.pipeline.live import EVERY_S, STATUS
from tamis.pipeline.manifest import NAME, Manifest, Receipt
from tamis.pipeline.outputs import read_ledger
from tamis.pipeline.plan import STEPS
from tamis.pipeline.run import FOLDERS
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import PART, FileEntry, Storage

# Of these every file is named by a receipt; `tokens/` has small JSON files beside its shards.
_DATASET_FILES = ("dataset_info.json", "state.json")
# A run writes its status every few seconds; one that has not for this long is no more, or cannot write.
STALE_S = 6 * EVERY_S
_THREADS = 4
_CHUNK = 1 << 22


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is. `state`: finished, running, stopped or none; `live` is what the run wrote of itself, or {}.

    units: committed units by step. alarms: of the units committed so far.
    """

    state: str
    live: dict[str, Any]
    units: dict[str, int]
    tokens: dict[str, int]
    alarms: list[Alarm]


def status(output: str) -> Status:
    """Return how far the run in a folder is. Raises OutputError where there is none."""
    storage = _opened(output)
    receipts = Manifest(storage).all()
    live = storage.read_json(STATUS) or {}
    finished = not live and storage.exists("ledger.parquet")
    ledger = read_ledger(storage) if finished else _merged(receipts)
    running = bool(live) and time.time() - live["updated"] < STALE_S
    units = {step: sum(receipt.step == step for receipt in receipts) for step in STEPS}
    last = ledger.steps[-1] if ledger.steps else ""
    tokens = {code: ledger.total(last, "kept", language=code).tokens for code in ledger.languages(last)}
    state = "running" if running else "finished" if finished else "stopped"
    by_size = dict(sorted(tokens.items(), key=lambda item: (-item[1], item[0])))
    return Status(state, live, units, live.get("tokens") or by_size, alarms(ledger))


def _opened(output: str) -> Storage:
    storage = Storage(output)
    if not any(storage.exists(name) for name in (NAME, STATUS, "recipe.lock.json")):
        raise OutputError(f"{output} holds no run.", "Name the output folder of `tamis run`.")
    return storage


def _merged(receipts: Sequence[Receipt]) -> Ledger:
    ledger = Ledger()
    for receipt in receipts:
        ledger.merge(receipt.ledger)
    return ledger


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one document: a row of `documents/` or `dropped/`, and the file it stands in."""

    kept: bool
    file: str
    row: dict[str, Any]
    partner: dict[str, Any] | None = None  # of a duplicate: what was kept instead


def why(output: str, what: str) -> list[Fate]:
    """Return what became of the documents with this URL or id, in file order; empty where the run lists none.

    Records that never were documents (requests, warcinfo, revisits) are counted in the ledger and not listed.
    """
    storage = _opened(output)
    manifest = Manifest(storage)
    found = list(_search(storage, manifest, what))
    return [_with_partner(storage, manifest, fate) for fate in found]


def _search(storage: Storage, manifest: Manifest, what: str) -> Iterator[Fate]:
    for folder in ("documents", "dropped"):
        for path in sorted(path for path in manifest.files() if path.startswith(f"{folder}/")):
            with storage.open(path) as file:
                parquet = pq.ParquetFile(file)
                for row in _rows(parquet, what):
                    yield Fate(folder == "documents", path, row)


def _rows(parquet: pq.ParquetFile, what: str) -> Iterator[dict[str, Any]]:
    """Yield matching rows; only `id` and `url` are read where there are none."""
    for group in range(parquet.num_row_groups):
        keys = parquet.read_row_group(group, columns=["id", "url"])
        hits = pc.or_kleene(pc.equal(keys["id"], what), pc.fill_null(pc.equal(keys["url"], what), False))
        places = pc.indices_nonzero(hits)
        if len(places):
            yield from parquet.read_row_group(group).take(places).to_pylist()


def _with_partner(storage: Storage, manifest: Manifest, fate: Fate) -> Fate:
    kept_id = fate.row.get("kept_id")
    if not kept_id:
        return fate
    partner = next(_search(storage, manifest, kept_id), None)
    return Fate(fate.kept, fate.file, fate.row, partner.row if partner else {"id": kept_id})


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a folder: files damaged or missing, files nobody names, and how many were read."""

    files: int
    bytes: int
    damaged: dict[str, str]
    orphans: list[str]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damaged and not self.orphans


def fsck(output: str, *, repair: bool = False) -> Checked:
    """Compare every file with its receipt and list what no receipt names. Raises BooksError for unbalanced receipts.

    With `repair`, receipts of damaged files are withdrawn, so that the next run does those units again and no others.
    Where all of `work/` is gone (`--clean`), its files are not missed.
    """
    storage = _opened(output)
    manifest = Manifest(storage)
    _merged(manifest.all()).check()
    sizes = {path: size for folder in ("", *FOLDERS) for path, size in storage.sizes(folder).items()}
    kept_work = any(path.startswith("work/") and not path.startswith("work/fetched/") for path in sizes)
    entries = [
        entry
        for receipt in manifest.all()
        for entry in receipt.files
        if kept_work or not entry.path.startswith("work/")
    ]
    with ThreadPoolExecutor(_THREADS) as threads:
        said = list(threads.map(lambda entry: _fault(storage, entry, sizes.get(entry.path)), entries))
    damaged = {entry.path: fault for entry, fault in zip(entries, said, strict=True) if fault}
    if repair:
        manifest.void(_receipts_of(manifest, set(damaged)))
    orphans = sorted(path for path in sizes if _is_orphan(path, manifest.files() | damaged.keys()))
    return Checked(len(entries), sum(entry.bytes for entry in entries), damaged, orphans)


def _fault(storage: Storage, entry: FileEntry, size: int | None) -> str:
    if size is None:
        return "missing"
    if size != entry.bytes:
        return f"{size} bytes, expected {entry.bytes}"
    digest = xxhash.xxh3_64()
    with storage.open(entry.path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return "" if digest.hexdigest() == entry.checksum else "its content is not what was written"


def _receipts_of(manifest: Manifest, paths: set[str]) -> list[Shard]:
    return [
        Shard(receipt.step, receipt.shard, receipt.fingerprint)
        for receipt in manifest.all()
        if any(entry.path in paths for entry in receipt.files)
    ]


def _is_orphan(path: str, named: set[str]) -> bool:
    folder, _, rest = path.partition("/")
    if folder not in FOLDERS or path in named or path.startswith("work/fetched/"):
        return PART.search(path) is not None
    beside = path.rpartition("/")[0] + "/"
    return not (folder == "tokens" and rest.endswith(_DATASET_FILES) and any(p.startswith(beside) for p in named))
