"""Findings: what deduplication says about a run beyond its counts, and how much of what stays still recurs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from tamis.budget.ledger import Ledger
from tamis.dedup.audit import SPAN, audit
from tamis.dedup.estimate import held
from tamis.pipeline.alarms import alarms, faults
from tamis.pipeline.clusters import alarm_text
from tamis.pipeline.dedupplan import VERDICT
from tamis.pipeline.documents import documents_path
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.scratch import scratch_folder
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import Storage

AUDIT = "audit"


@dataclass(frozen=True)
class Audit:
    """The work of the audit shard: every document that stays, its spans sampled. Its payload has `units`."""

    storage: Storage
    memory: int = 1 << 30

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Return the receipt; facts: `spans` looked at, and `table`: [occurrences at least, share of spans]."""
        with scratch_folder("audit") as folder:
            found = audit(self._texts(shard.payload["units"]), memory=held(self.memory), scratch=folder)
        facts = {"spans": found.spans, "table": [[bound, round(share, 6)] for bound, share in found.table]}
        return (Receipt(AUDIT, shard.name, shard.fingerprint, (), (), facts),)

    def _texts(self, units: Sequence[str]) -> Iterator[pa.Array]:
        for unit in units:
            with self.storage.open(documents_path(unit)) as file:
                for batch in pq.ParquetFile(file).iter_batches(batch_size=4096, columns=["text"]):
                    yield batch.column(0)


def raised(ledger: Ledger, receipts: Sequence[Receipt]) -> list[str]:
    """Return every alarm of a run as a sentence: languages that fare unlike the others, rules of a user's own that
    failed, and what deduplication took more of than the recipe expects."""
    return [*(f"{each}." for each in alarms(ledger)), *faults(ledger), *removal_alarms(receipts)]


def removal_alarms(receipts: Sequence[Receipt]) -> list[str]:
    """Return a sentence for each language and domain of which deduplication removed more than the recipe expects."""
    return [f"{alarm_text(alarm)}." for receipt in receipts for alarm in receipt.facts.get("alarms", ())]


def residue(receipts: Sequence[Receipt]) -> list[str]:
    """Return in sentences how many documents were too short to be compared, and what an audit found, if there was
    one."""
    found = []
    for receipt in receipts:
        short, documents = receipt.facts.get("short", (0, 0)) if receipt.step == VERDICT else (0, 0)
        if short:
            found.append(
                f"{short:,} of {documents:,} documents looked at have too few words to resemble another: of them, only "
                f"exact copies were removed."
            )
        if receipt.step == AUDIT:
            table = receipt.facts["table"]
            again = sum(share for bound, share in table if bound > 1)
            often = sum(share for bound, share in table if bound > 10)
            found.append(
                f"Of spans of {SPAN} words, {again:.2%} still occur at least twice and {often:.2%} more than ten times "
                f"({receipt.facts['spans']:,} looked at)."
            )
    return found


def rates(receipts: Sequence[Receipt]) -> list[tuple[str, int, int]]:
    """Return (language or domain, documents looked at, removed as duplicates): languages, then the domains that lose
    most."""
    facts = [receipt.facts for receipt in receipts if receipt.step == VERDICT]
    return [
        (str(name), int(documents), int(removed))
        for found in facts
        for kind in ("languages", "domains")
        for name, documents, removed in found.get(kind, ())
    ]
