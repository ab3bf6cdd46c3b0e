"""Distinct: one stream of texts without its duplicates, by the same steps as a run, in a folder of scratch files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import pyarrow as pa

from tamis.budget.ledger import Ledger
from tamis.dedup.options import DedupOptions
from tamis.pipeline.arrowfiles import WORK_FILE, sifted_path, verdicts_path
from tamis.pipeline.dedupplan import plan_shards
from tamis.pipeline.documents import DOCUMENTS, Finish
from tamis.pipeline.drops import Drops
from tamis.pipeline.duplicates import Deduplicate
from tamis.pipeline.shard import Shard
from tamis.pipeline.signing import Signatures, signer
from tamis.pipeline.storage import Storage

UNIT = "00000-000"


class Distinct(Finish):
    """The documents step, handing its unit on in input order instead of writing it by language."""

    def kept(self, ledger: Ledger, drops: Drops) -> Iterator[pa.RecordBatch]:
        """Yield the unit's batches without their duplicates, which are booked and listed."""
        verdicts = self._verdicts(Shard(DOCUMENTS, UNIT, "", {"verdicts": verdicts_path(), "index": 0}))
        start = 0
        with self.storage.open(sifted_path(UNIT)) as file:
            reader = pa.ipc.open_file(file)
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                yield self._split(batch, verdicts, start, ledger, drops)
                start += batch.num_rows


def store(batches: Iterable[pa.RecordBatch], storage: Storage, options: DedupOptions, device: str = "cpu") -> int:
    """Write texts and their signatures, made on a device, as one unit; returns how many. Nothing is written where there
    are none."""
    rows = 0
    with ExitStack() as stack:
        sign = stack.enter_context(signer(device))
        signatures: Signatures | None = None
        for batch in batches:
            if signatures is None:
                sink = stack.enter_context(storage.create(sifted_path(UNIT)))
                writer = stack.enter_context(pa.ipc.new_file(sink, batch.schema, options=WORK_FILE))
                signatures = Signatures(stack, storage, UNIT, options, sign)
            writer.write_batch(batch)
            signatures.add(batch)
            rows += batch.num_rows
    return rows


def judge(storage: Storage, options: DedupOptions, memory: int) -> None:
    """Find the duplicates of the stored unit; the verdicts lie in `storage`."""
    work = Deduplicate(options, storage, memory)
    for shards in plan_shards([UNIT], options).values():
        for shard in shards:
            work(shard)
