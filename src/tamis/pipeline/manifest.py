"""The manifest: one receipt per finished unit of work. What it does not name was not done."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tamis.budget.ledger import Ledger, Row
from tamis.pipeline.journal import Journal
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import FileEntry, Storage

NAME = "manifest.jsonl"
# Receipts are forced to the disk once in so many seconds: each such wait is longer than many a unit's work. A process
# that is killed loses none of them, a machine that fails those of the last second, whose units are done again.
_FORCED_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one unit of work did: its ledger entries, its files, and facts that later steps plan with.

    `seconds` is reported while a run is live and left out of the sealed manifest, which is the same on every machine.
    """

    step: str
    shard: str
    fingerprint: str
    ledger: tuple[Row, ...] = ()
    files: tuple[FileEntry, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def to_json(self, *, timing: bool) -> str:
        """Return the receipt as one line of JSON."""
        record: dict[str, Any] = {
            "step": self.step,
            "shard": self.shard,
            "fingerprint": self.fingerprint,
            "ledger": [list(row) for row in self.ledger],
            "files": [entry.to_json() for entry in self.files],
            "facts": dict(self.facts),
        }
        if timing:
            record["seconds"] = round(self.seconds, 3)
        return json.dumps(record, ensure_ascii=False, sort_keys=True)

    def file(self, ending: str) -> FileEntry:
        """Return the one file whose path ends with `ending`."""
        return next(entry for entry in self.files if entry.path.endswith(ending))


def parse(line: str) -> Receipt:
    """Return the receipt a line of JSON holds."""
    record = json.loads(line)
    return Receipt(
        record["step"],
        record["shard"],
        record["fingerprint"],
        tuple(tuple(row) for row in record["ledger"]),
        tuple(FileEntry(**entry) for entry in record["files"]),
        record["facts"],
        record.get("seconds", 0.0),
    )


class Manifest:
    """The receipts of an output folder, one per (step, shard); the last one added counts.

    While a run is live, lines are appended as units finish. `seal` rewrites the file in canonical order
    without timings, so that equal runs leave equal manifests.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._journal = Journal(storage, NAME)
        self._receipts: dict[tuple[str, str], Receipt] = {}
        self._forced = float("-inf")
        self._replay(self._journal.read().decode("utf-8", "replace"))

    def _replay(self, text: str) -> None:
        for line in text.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # the torn last line of a killed run: its unit is simply not done
            if "void" in record:
                self._receipts.pop(tuple(record["void"]), None)
            else:
                receipt = parse(line)
                self._receipts[receipt.step, receipt.shard] = receipt

    def get(self, shard: Shard) -> Receipt | None:
        """Return the receipt of a shard if it was done with the same fingerprint, else None."""
        receipt = self._receipts.get((shard.step, shard.name))
        return receipt if receipt is not None and receipt.fingerprint == shard.fingerprint else None

    def missing(self, shards: Iterable[Shard]) -> list[Shard]:
        """Return the shards that are still to do."""
        return [shard for shard in shards if self.get(shard) is None]

    def all(self) -> list[Receipt]:
        """Return every receipt, in step and shard name order."""
        return [self._receipts[key] for key in sorted(self._receipts)]

    def add(self, receipt: Receipt) -> None:
        """Commit a receipt. Raises BooksError, and commits nothing, where its ledger does not balance."""
        ledger = Ledger()
        ledger.merge(receipt.ledger)
        ledger.check()
        due = time.monotonic() - self._forced >= _FORCED_EVERY_S
        self._append(receipt.to_json(timing=True), durable=due)
        if due:
            self._forced = time.monotonic()
        self._receipts[receipt.step, receipt.shard] = receipt

    def forget_lost(self) -> None:
        """Withdraw receipts whose files under `work/` and `signatures/` are gone, so that later steps can be redone."""
        stands = {path: size for folder in ("work", "signatures") for path, size in self._storage.sizes(folder).items()}
        lost = [
            Shard(receipt.step, receipt.shard, receipt.fingerprint)
            for receipt in self._receipts.values()
            if any(
                entry.path.startswith(("work/", "signatures/")) and stands.get(entry.path) != entry.bytes
                for entry in receipt.files
            )
        ]
        self.void(lost)

    def void(self, shards: Iterable[Shard]) -> None:
        """Withdraw receipts that another fingerprint made, before their files are overwritten.

        Without this, a run killed between overwriting a file and committing it, then started again with its old
        settings, would trust a receipt whose file has changed.
        """
        stale = [(shard.step, shard.name) for shard in shards]
        stale = [key for key in stale if key in self._receipts]
        if stale:
            self._append("\n".join(json.dumps({"void": list(key)}) for key in stale))
        for key in stale:
            del self._receipts[key]

    def _append(self, line: str, *, durable: bool = True) -> None:
        # The leading newline ends a line that a kill may have torn; blank lines are skipped on reading.
        self._journal.add(f"\n{line}\n".encode(), durable=durable)

    def seal(self, order: Sequence[str], shards: Iterable[Shard]) -> None:
        """Keep the receipts of these shards alone, in step order, and rewrite the file in canonical form."""
        keep = {(shard.step, shard.name) for shard in shards}
        rank = {step: index for index, step in enumerate(order)}
        keys = sorted(keep & self._receipts.keys(), key=lambda key: (rank[key[0]], key[1]))
        self._receipts = {key: self._receipts[key] for key in keys}
        lines = [receipt.to_json(timing=False) for receipt in self._receipts.values()]
        self._journal.replace("".join(f"{line}\n" for line in lines).encode())

    def files(self) -> set[str]:
        """Return the paths of every committed file."""
        return {entry.path for receipt in self._receipts.values() for entry in receipt.files}
