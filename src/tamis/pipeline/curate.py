"""Curate: one fused pass over a unit, from bytes to signed survivors, or from stored texts where those still hold."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from tamis.budget.ledger import Ledger
from tamis.pipeline import extraction
from tamis.pipeline.arrowfiles import WORK_FILE, extracted_path, sifted_path
from tamis.pipeline.care import DIED, MEMORY, Care, Suspect
from tamis.pipeline.drops import Drops
from tamis.pipeline.extraction import Extraction
from tamis.pipeline.guard import beat
from tamis.pipeline.languages import Scores
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.settings import Settings
from tamis.pipeline.shard import Shard
from tamis.pipeline.sift import LANGUAGE, Sift, survivors
from tamis.pipeline.signing import Signatures
from tamis.pipeline.storage import InputFiles, Sink, Storage
from tamis.pipeline.verified import opened
from tamis.schema import EXTRACTED

EXTRACT = "extract"
SIFT = "sift"


@dataclass(frozen=True)
class Curate:
    """The work of a curate shard. Its payload says what to read; `extract` there is the fingerprint of the extract
    step for this unit, or None where the stored texts still hold and only sifting is to be done; `sign` is that of the
    sign step, or None where that is another process's work. A shard of the extract step is extracted and not sifted, as
    when bounds are to be derived from all units first."""

    settings: Settings
    storage: Storage
    files: InputFiles

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Do one unit; returns the receipts of extract and sign, if done, and sift."""
        started = time.monotonic()
        fresh = shard.payload["extract"]
        care = self._care(shard)
        with ExitStack() as stack:
            if shard.step == EXTRACT:
                return (replace(_Extracting(self, shard, care).alone(fresh), seconds=time.monotonic() - started),)
            if fresh is None:
                texts, extracted = care.one_by_one(self._stored(shard.name, stack)), None
            else:
                extracted = _Extracting(self, shard, care)
                texts, care = extracted.run(), Care()
            *signed, sifted = self._sift(shard, texts, care)
        sifted = replace(sifted, seconds=time.monotonic() - started)
        return *((extracted.receipt(fresh),) if extracted is not None else ()), *signed, sifted

    def _stored(self, unit: str, stack: ExitStack) -> Iterator[pa.RecordBatch]:
        reader = pa.ipc.open_file(stack.enter_context(opened(self.storage, extracted_path(unit))))
        return (reader.get_batch(index) for index in range(reader.num_record_batches))

    def _sift(self, shard: Shard, texts: Iterable[pa.RecordBatch], care: Care) -> Iterator[Receipt]:
        """Yield the receipts of sign, if it is this worker's, and of sift."""
        ledger = Ledger([LANGUAGE, *(chain.name for chain in self.settings.filters)])
        drops = Drops(self.settings.output)
        unit, schema, signing = shard.name, survivors(self.settings), shard.payload.get("sign")
        sound = _set_aside(texts, care, ledger, drops)
        with ExitStack() as stack:
            sink = stack.enter_context(self.storage.create(sifted_path(unit)))
            writer = stack.enter_context(pa.ipc.new_file(sink, schema, options=WORK_FILE))
            signatures = self._signatures(stack, unit) if signing else None
            for batch in Sift(self.settings, ledger, drops).run(sound):
                writer.write_batch(_ordered(batch, schema))
                sink.rows += batch.num_rows
                if signatures is not None:
                    signatures.add(batch)
        if signatures is not None:
            yield signatures.receipt(str(signing))
        dropped = drops.write(self.storage, f"dropped/{unit}-{SIFT}.parquet")
        yield Receipt(SIFT, unit, shard.fingerprint, tuple(ledger.rows()), (sink.entry(sifted_path(unit)), dropped))

    def _signatures(self, stack: ExitStack, unit: str) -> Signatures:
        assert self.settings.dedup is not None
        return Signatures(stack, self.storage, unit, self.settings.dedup)

    def _care(self, shard: Shard) -> Care:
        note = (lambda ident: self._note(shard, ident)) if shard.payload.get("careful") else None
        return Care(shard.payload.get("poison", {}), note, beat)

    def _note(self, shard: Shard, ident: str) -> None:
        self.storage.write(_noted(shard), ident.encode())

    def careful(self, shard: Shard) -> Shard:
        """Return the shard to be read record by record, each noted first."""
        return Shard(shard.step, shard.name, shard.fingerprint, {**shard.payload, "careful": True})

    def suspect(self, shard: Shard) -> Suspect | None:
        """Return the record noted last, if it was in work, and forget it; an id of "" where only memory is known."""
        ident, over = (self._taken(path) for path in (_noted(shard), _over(shard)))
        return Suspect(ident or "", MEMORY if over is not None else DIED) if ident or over is not None else None

    def _taken(self, path: str) -> str | None:
        if not self.storage.exists(path):
            return None
        text = self.storage.read(path).decode()
        self.storage.delete(path)
        return text

    def without(self, shard: Shard, suspect: Suspect) -> Shard:
        """Return the shard less a record."""
        poison = {**shard.payload.get("poison", {}), suspect.id: suspect.reason}
        return Shard(shard.step, shard.name, shard.fingerprint, {**shard.payload, "poison": poison})

    def exhausted(self, shard: Shard) -> None:
        """Note that this worker ends for want of memory."""
        self.storage.write(_over(shard), b"")


def _noted(shard: Shard) -> str:
    return f"work/suspects/{shard.name}"


def _over(shard: Shard) -> str:
    return f"work/suspects/{shard.name}.memory"


def _set_aside(texts: Iterable[pa.RecordBatch], care: Care, ledger: Ledger, drops: Drops) -> Iterator[pa.RecordBatch]:
    """Yield stored texts without those that end their worker, which are booked as drops of the first step."""
    for batch in texts:
        sound, poison = care.split(batch)
        if poison.num_rows:
            ledger.book_batch(LANGUAGE, "in", poison)
            ledger.book_batch(LANGUAGE, "dropped", poison)
            drops.add(LANGUAGE, poison)
        yield sound


class _Extracting:
    """The extract half of a curate unit: passes texts on while it stores them."""

    def __init__(self, work: Curate, shard: Shard, care: Care) -> None:
        self._work = work
        self._shard = shard
        self._care = care
        steps = [step for step in extraction.STEPS if step != "url" or work.settings.url is not None]
        self._ledger = Ledger(steps)
        self._drops = Drops(work.settings.output)
        self._facts: dict[str, Any] = {}
        self._sink: Sink | None = None
        self._scores = Scores()

    def alone(self, fingerprint: str) -> Receipt:
        """Extract and store, and sift nothing; returns the receipt."""
        for _ in self.run():
            pass
        return self.receipt(fingerprint)

    def run(self) -> Iterator[pa.RecordBatch]:
        source = Extraction(self._work.settings, self._ledger, self._drops, self._facts, self._care)
        with self._work.storage.create(extracted_path(self._shard.name)) as sink:
            self._sink = sink
            with pa.ipc.new_file(sink, EXTRACTED, options=WORK_FILE) as writer:
                for batch in source.run(self._shard.payload, self._work.files):
                    writer.write_batch(batch)
                    sink.rows += batch.num_rows
                    self._scores.add(batch)
                    yield batch

    def receipt(self, fingerprint: str) -> Receipt:
        assert self._sink is not None
        unit = self._shard.name
        dropped = self._drops.write(self._work.storage, f"dropped/{unit}-{EXTRACT}.parquet")
        scores = self._scores.write(self._work.storage, unit)
        files = (self._sink.entry(extracted_path(unit)), dropped, scores)
        return Receipt(EXTRACT, unit, fingerprint, tuple(self._ledger.rows()), files, self._facts)


def _ordered(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([batch.column(field.name).cast(field.type) for field in schema], schema=schema)
