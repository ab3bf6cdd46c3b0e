"""Forecast: what deduplication will need, from the units that are done, or from the size of the input before any is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tamis.dedup.estimate import Estimate, Overlap, Workload, estimate, probe, sign_seconds
from tamis.dedup.options import DedupOptions
from tamis.pipeline.dedupplan import REGROUP, RESOLVE
from tamis.pipeline.manifest import Manifest, Receipt
from tamis.pipeline.plan import Plan
from tamis.pipeline.storage import Storage
from tamis.pipeline.survey import survey
from tamis.warc.manifest import Source

# Before anything is read: pages that pass the filters, and the bytes of text in one, for each byte of a compressed WARC
# of a common crawl (36,000 pages in a GB, of which about half pass); of ready-made text, the bytes in one document.
_PAGES_A_BYTE, _PAGE_BYTES = 1.8e-5, 3500
# Bytes of a word with its space, over scripts; a character of an unspaced one takes three.
_WORD_BYTES = 6.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """Documents and bytes of text to be compared, in how many of the units they were counted, and what that takes;
    `signing` is seconds of one core, part of reading."""

    documents: int
    text_bytes: int
    counted: int
    units: int
    needs: Estimate
    signing: float

    def __str__(self) -> str:
        of = f"counted in {self.counted} of {self.units} units" if self.counted else "assumed from the input's size"
        text, disk, memory = (f"{each / 1e6:,.0f} MB" for each in (self.text_bytes, self.needs.disk, self.needs.memory))
        return (
            f"Deduplication compares about {self.documents:,} documents ({text} of text, {of}): {disk} of temporary "
            f"disk, {memory} in the largest process, {self.needs.seconds:,.1f} s of one core and {self.signing:,.1f} s "
            f"for signatures."
        )


def forecast(plan: Plan, storage: Storage, options: DedupOptions, memory: int) -> Forecast:
    """Return what deduplication of a run will need; `memory` in bytes bounds a process. Takes 0.2 s to look at the
    machine's speed."""
    manifest = Manifest(storage)
    receipts = [receipt for shard in plan.sift if (receipt := manifest.get(shard))]
    documents, size = _counted(receipts, len(plan.sift)) if receipts else _assumed(plan.sources)
    slowness = probe()
    words = max(size / max(documents, 1) / _WORD_BYTES - options.units + 1, 1.0)
    signed = [receipt.shard for receipt in receipts]
    overlap = survey(storage, signed, documents, options) or Overlap()
    load = Workload(documents, words, overlap, len(plan.dedup[RESOLVE]), len(plan.dedup[REGROUP]))
    needs = estimate(load, options, memory=memory, slowness=slowness)
    return Forecast(documents, size, len(receipts), len(plan.sift), needs, sign_seconds(size, slowness=slowness))


def _counted(receipts: Sequence[Receipt], units: int) -> tuple[int, int]:
    """Return documents and bytes that passed every filter, for all units in proportion."""
    documents = size = 0
    for receipt in receipts:
        last = receipt.ledger[-1][0] if receipt.ledger else ""
        for step, _, outcome, _, count, bytes_, *_ in receipt.ledger:
            if step == last and outcome == "kept":
                documents, size = documents + count, size + bytes_
    return documents * units // len(receipts), size * units // len(receipts)


def _assumed(sources: Sequence[Source]) -> tuple[int, int]:
    pages = sum(source.size or 0 for source in sources if source.kind == "warc" and not source.problem)
    texts = sum(source.size or 0 for source in sources if source.kind != "warc" and not source.problem)
    documents = int(pages * _PAGES_A_BYTE) + texts // _PAGE_BYTES
    return max(documents, 1), max(documents, 1) * _PAGE_BYTES
