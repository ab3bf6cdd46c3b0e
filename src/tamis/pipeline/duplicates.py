"""The dedup steps: pair finds who shares a bucket, cluster what must be looked at together, resolve who goes, and
verdicts tells each unit. Every step is a map over shards; nothing but the last two small ones sees every document."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.dedup.bands import BUCKETS, candidates
from tamis.dedup.components import MEMBERS, Buckets, Components, find_components
from tamis.dedup.documents import Docs
from tamis.dedup.drops import combine, of_unit
from tamis.dedup.exact import exact_duplicates
from tamis.dedup.options import DedupOptions, band_names
from tamis.dedup.verdicts import resolve
from tamis.pipeline.curate import WORK_FILE, signatures_path
from tamis.pipeline.documents import VERDICTS
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import FileEntry, Storage
from tamis.pipeline.survivors import Survivors

PAIR = "pair"
CLUSTER = "cluster"
RESOLVE = "resolve"
VERDICT = "verdict"

EXACT = "exact"
REASONS = {"exact": "exact_duplicate", "near": "near_duplicate"}
# Partitions written at once: a file each, below the 256 files that a process may always open.
OPEN_PARTS = 128
HISTOGRAM = (2, 3, 5, 10, 100, 1000, 10_000)  # lower bounds of cluster sizes in the receipt's facts


def verdicts_path() -> str:
    """Where the cluster step's answer lies: one record batch per unit, in manifest order."""
    return "work/verdict/all.arrow"


def _path(step: str, shard: str) -> str:
    return f"work/{step}/{shard}.arrow"


@dataclass(frozen=True)
class Deduplicate:
    """The work of the pair, cluster, resolve and verdict shards. Payloads have `units`: their names in manifest order.

    `memory` in bytes bounds what one shard sorts and compares at once; the answer does not depend on it.
    """

    options: DedupOptions
    storage: Storage
    memory: int = 1 << 30

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Do one shard; returns its receipt."""
        work = {PAIR: self._pair, CLUSTER: self._cluster, RESOLVE: self._resolve, VERDICT: self._verdict}[shard.step]
        with tempfile.TemporaryDirectory(prefix="tamis-dedup-") as folder:
            files, facts = work(shard, Path(folder))
        return (Receipt(shard.step, shard.name, shard.fingerprint, (), tuple(files), facts),)

    def _pair(self, shard: Shard, scratch: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        band, units = shard.payload["band"], shard.payload["units"]
        path = _path(PAIR, shard.name)
        if band is None:
            streams = self._signatures(units, ["language", "exact"])
            table = exact_duplicates(streams, self.options, memory=self.memory, scratch=scratch)
            return [self._write(path, table.schema, table.to_batches())], {"documents": table.num_rows}
        streams = self._signatures(units, ["language", band_names(self.options)[band]])
        batches = candidates(streams, band, self.options, memory=self.memory, scratch=scratch)
        entry = self._write(path, BUCKETS, batches)
        return [entry], {"documents": entry.rows}

    def _signatures(self, units: Sequence[str], columns: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        for index, unit in enumerate(units):
            with self.storage.open(signatures_path(unit)) as file:
                schema = pa.ipc.open_file(file).schema
                options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in columns])
                reader = pa.ipc.open_file(file, options=options)
                for number in range(reader.num_record_batches):
                    yield index, reader.get_batch(number)

    def _cluster(self, shard: Shard, _: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        exact = self._read(_path(PAIR, EXACT))
        parts = [_path(CLUSTER, name) for name in shard.payload["parts"]]

        def buckets() -> Iterator[pa.RecordBatch]:
            for name in shard.payload["bands"]:
                yield from self._batches(_path(PAIR, name))

        components = find_components(buckets, exclude=exact.column("doc").to_numpy())
        files = []
        for first in range(0, len(parts), OPEN_PARTS):
            files += self._split(components, buckets, parts, range(first, min(first + OPEN_PARTS, len(parts))))
        return files, {}

    def _split(self, components: Components, buckets: Buckets, parts: list[str], some: range) -> list[FileEntry]:
        """Write some of the partitions, in one pass over the buckets."""
        with ExitStack() as stack:
            sinks = {part: stack.enter_context(self.storage.create(parts[part])) for part in some}
            writers = {
                part: stack.enter_context(pa.ipc.new_file(sink, MEMBERS, options=WORK_FILE))
                for part, sink in sinks.items()
            }
            for part, members in components.split(buckets, len(parts)):
                if part in sinks:
                    writers[part].write_batch(members)
                    sinks[part].rows += members.num_rows
        return [sink.entry(parts[part]) for part, sink in sinks.items()]

    def _resolve(self, shard: Shard, scratch: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        members = self._batches(_path(CLUSTER, shard.name))
        with self._column(shard.payload["units"], "text") as fetch:
            near = resolve(members, fetch, self.options, memory=self.memory, scratch=scratch)
        return [self._write(_path(RESOLVE, shard.name), near.schema, near.to_batches())], {"documents": near.num_rows}

    def _verdict(self, shard: Shard, _: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        near = pa.concat_tables([self._read(_path(RESOLVE, name)) for name in shard.payload["parts"]])
        drops = combine(self._read(_path(PAIR, EXACT)), near).combine_chunks()
        keepers, first = np.unique(drops.column("kept_doc").to_numpy(), return_index=True)
        sizes = drops.column("size").to_numpy()[first]
        units = shard.payload["units"]
        with self._column(units, "id") as fetch:
            ids = fetch(keepers)
        place = np.searchsorted(keepers, drops.column("kept_doc").to_numpy())
        drops = drops.append_column("kept_id", ids.take(pa.array(place)))
        clusters = pa.table({"doc": keepers, "size": sizes})
        batches = (_of_unit(drops, clusters, index) for index in range(len(units)))
        bins = np.searchsorted(HISTOGRAM, sizes, side="right") - 1
        histogram = [[low, int((bins == place).sum())] for place, low in enumerate(HISTOGRAM)]
        return [self._write(verdicts_path(), VERDICTS, batches)], {"cluster_sizes": histogram}

    def _column(self, units: Sequence[str], name: str) -> AbstractContextManager[Callable[[Docs], pa.Array]]:
        """Return what reads a column of the survivors by document number."""
        return Survivors(self.storage, units, name)

    def _write(self, path: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> FileEntry:
        with self.storage.create(path) as sink, pa.ipc.new_file(sink, schema, options=WORK_FILE) as writer:
            for batch in batches:
                writer.write_batch(batch)
                sink.rows += batch.num_rows
        return sink.entry(path)

    def _batches(self, path: str) -> Iterator[pa.RecordBatch]:
        with self.storage.open(path) as file:
            reader = pa.ipc.open_file(file)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)

    def _read(self, path: str) -> pa.Table:
        with self.storage.open(path) as file:
            return pa.ipc.open_file(file).read_all()


def _of_unit(drops: pa.Table, clusters: pa.Table, unit: int) -> pa.RecordBatch:
    """Return one unit's verdicts, by row: its drops, and the cluster sizes of what it keeps."""
    gone = of_unit(drops, unit)
    kept = of_unit(clusters, unit)
    kinds = gone.column("kind").to_pylist()
    none = [None] * kept.num_rows
    table = pa.table(
        {
            "row": pa.chunked_array([*gone.column("row").chunks, *kept.column("row").chunks], pa.int64()),
            "reason": pa.array([REASONS[kind] for kind in kinds] + none, pa.large_string()),
            "kept_id": pa.array(gone.column("kept_id").to_pylist() + none, pa.large_string()),
            "similarity": pa.array(gone.column("similarity").to_pylist() + none, pa.float32()),
            "cluster_size": pc.cast(
                pa.chunked_array([*gone.column("size").chunks, *kept.column("size").chunks], pa.int32()), pa.int64()
            ),
        }
    )
    batches = table.sort_by("row").cast(VERDICTS).combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=VERDICTS)


def plan_parts(units: int) -> list[str]:
    """Return the names of the partitions candidates are resolved in: more with more input, never with more workers."""
    return [f"part-{part:03d}" for part in range(min(4096, 1 + units // 8))]
