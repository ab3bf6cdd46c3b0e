"""The sign step: MinHash signatures of survivors, by curate while a text is at hand, or by processes that have a card.

Where CPUs sign, curate commits this step with its own, and nothing is left to do here unless files are lost or the
options of signatures change, which takes no sifting. Where cards sign (`dedup.device`), curate leaves the step out,
because a CPU worker must never touch CUDA, and the units are read again by processes placed as those of scoring are.
Values are the same bit for bit, so neither a fingerprint nor any byte tells who made them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from tamis.dedup.minhash import permutations, sign, signature_schema
from tamis.dedup.options import DedupOptions
from tamis.dedup.shingle import Hashes, Offsets
from tamis.pipeline.arrowfiles import WORK_FILE, batches_of, sifted_path, signatures_path
from tamis.pipeline.executor import available_cpus
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.step import Step
from tamis.pipeline.storage import Storage

SIGN = "sign"

Signer = Callable[[pa.LargeStringArray, DedupOptions], pa.RecordBatch]


class Signatures:
    """Writes the signatures of one unit's survivors beside their language; the file is whole when `stack` closes."""

    def __init__(
        self, stack: ExitStack, storage: Storage, unit: str, options: DedupOptions, signer: Signer = sign
    ) -> None:
        self._unit = unit
        self._options = options
        self._signer = signer
        self._schema = pa.schema([pa.field("language", pa.large_string()), *signature_schema(options)])
        self._sink = stack.enter_context(storage.create(signatures_path(unit)))
        self._writer = stack.enter_context(pa.ipc.new_file(self._sink, self._schema, options=WORK_FILE))

    def add(self, batch: pa.RecordBatch) -> None:
        """Sign and write the next batch of survivors."""
        keys = self._signer(batch.column("text"), self._options)
        columns = [batch.column("language"), *keys.columns]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._sink.rows += batch.num_rows

    def receipt(self, fingerprint: str) -> Receipt:
        """Return the unit's receipt of the sign step, when the file is whole."""
        return Receipt(SIGN, self._unit, fingerprint, (), (self._sink.entry(signatures_path(self._unit)),))


@dataclass(frozen=True)
class Sign:
    """The work of a sign shard: one unit's survivors read again and signed. `device` is "cpu" or "cuda", as settled by
    the driver."""

    options: DedupOptions
    storage: Storage
    device: str = "cpu"

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Write one unit's signatures; returns its receipt."""
        with signer(self.device) as made:
            with ExitStack() as stack:
                signatures = Signatures(stack, self.storage, shard.name, self.options, made)
                for batch in batches_of(self.storage, sifted_path(shard.name)):
                    signatures.add(batch)
            return (signatures.receipt(shard.fingerprint),)


@contextmanager
def signer(device: str) -> Iterator[Signer]:
    """Yield what signs texts: `sign` itself on the CPU; on CUDA the same with its values from a card, which this
    process claims, and shingles cut by as many threads as there are CPUs, because they are most of the work."""
    if device != "cuda":
        yield sign
        return
    from tamis.scoring.device import claim, use
    from tamis.scoring.minima import minima

    card = claim()

    def minhashes(offsets: Offsets, hashes: Hashes, count: int, seed: int) -> Hashes:
        return minima(offsets, hashes, *permutations(count, seed), card)

    with ThreadPoolExecutor(available_cpus(), "tamis-sign", use, (card,)) as threads:
        yield partial(sign, minhashes=minhashes, each=threads.map)


def plan(step: Step, sift: Sequence[Shard], options: DedupOptions | None) -> tuple[Shard, ...]:
    """Return the sign shards of units; none where nothing is deduplicated."""
    if options is None:
        return ()
    return tuple(Shard(SIGN, unit.name, step.of([unit.fingerprint])) for unit in sift)


def fingerprint(options: DedupOptions | None) -> dict[str, object]:
    """Return what signatures depend on; never the device."""
    return {} if options is None else {"signature": options.signature, "stored": options.stored}
