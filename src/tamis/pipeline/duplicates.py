"""The dedup steps: pair finds who shares a bucket, cluster what must be looked at together, regroup hands the shingles
of that to each partition, resolve says who goes, and verdict tells each unit. Every step is a map over shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.dedup.bands import BUCKETS, candidates
from tamis.dedup.components import MEMBERS, Buckets, Components, Wanted, find_components
from tamis.dedup.documents import Docs, document_ids, rows_of, units_of
from tamis.dedup.drops import combine, of_unit
from tamis.dedup.estimate import held
from tamis.dedup.exact import exact_duplicates, url_duplicates
from tamis.dedup.external import ExternalComponents, bucket_edges
from tamis.dedup.options import DedupOptions, band_names
from tamis.dedup.ranking import priorities, rank_column
from tamis.dedup.regroup import Regrouped, regroup, shingle_sets
from tamis.dedup.stars import find_stars
from tamis.dedup.urls import url_keys
from tamis.dedup.verdicts import resolve
from tamis.pipeline.arrowfiles import (
    WORK_FILE,
    batches_of,
    path_of,
    sifted_path,
    signatures_path,
    table_of,
    verdicts_path,
    write_file,
)
from tamis.pipeline.clusters import Reads, found_clusters
from tamis.pipeline.dedupplan import CLUSTER, COMMON, COUNT, EXACT, PAIR, REGROUP, RESOLVE, VERDICT
from tamis.pipeline.documents import VERDICTS
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.partfiles import read_parts, write_parts
from tamis.pipeline.repeats import count_lines, find_common
from tamis.pipeline.rounds import found_stars
from tamis.pipeline.scoring import scores_path
from tamis.pipeline.scratch import scratch_folder
from tamis.pipeline.shard import Shard
from tamis.pipeline.shelf import Shelf, stock
from tamis.pipeline.storage import FileEntry, Storage
from tamis.pipeline.survivors import Survivors
from tamis.pipeline.verified import opened
from tamis.pipeline.whereabouts import WHERE, by_group

Stream = Iterator[tuple[int, pa.RecordBatch]]

REASONS = {"exact": "exact_duplicate", "near": "near_duplicate", "url": "url_duplicate"}
# Partitions written at once: a file each, below the 256 files that a process may always open.
OPEN_PARTS = 128
# Documents whose shingles are made at once.
_SET_ROWS = 4096

# One row per removed document, by unit and row; `cluster` numbers the kept document.
PROVENANCE_FILE = "duplicates.parquet"
PROVENANCE = pa.schema(
    [
        pa.field("id", pa.large_string(), nullable=False),
        pa.field("kept_id", pa.large_string(), nullable=False),
        pa.field("kind", pa.large_string(), nullable=False),  # exact | near | url
        pa.field("similarity", pa.float32()),  # verified; null by URL
        pa.field("band", pa.int16()),  # the first in which the two met; null unless near
        pa.field("cluster", pa.uint64(), nullable=False),
        pa.field("cluster_size", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Deduplicate:
    """The work of the dedup shards. Payloads have `units`: their names in manifest order.

    `memory` in bytes bounds the process that does one shard, its libraries included, from half a gigabyte up; below,
    half of it is for what is sorted and compared at once. The answer does not depend on it. `scored` names the column
    that a model's scores are to be, which lie in files of their own until documents are written.
    """

    options: DedupOptions
    storage: Storage
    memory: int = 1 << 30
    scored: str = ""

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Do one shard; returns its receipt."""
        does: dict[str, Callable[[Shard, Path], tuple[list[FileEntry], dict[str, Any]]]] = {
            PAIR: self._pair,
            CLUSTER: self._cluster,
            REGROUP: self._regroup,
            RESOLVE: self._resolve,
            VERDICT: self._verdict,
            COUNT: partial(count_lines, self.options, self.storage, self.memory),
            COMMON: partial(find_common, self.options, self.storage, self.memory),
        }
        work = does[shard.step]
        with scratch_folder("dedup") as folder:
            files, facts = work(shard, folder)
        # What Arrow keeps for the next batches would be held twice, by the kernels' arrays of the next shard.
        pa.default_memory_pool().release_unused()
        return (Receipt(shard.step, shard.name, shard.fingerprint, (), tuple(files), facts),)

    def _pair(self, shard: Shard, scratch: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        band, shelf = shard.payload["band"], self._shelf(shard.payload["units"])
        path = path_of(PAIR, shard.name)
        if band is None:
            table = self._exact(shelf, scratch)
            return [write_file(self.storage, path, table.schema, table.to_batches())], {"documents": table.num_rows}
        signed = _Passes(self, shelf, ("language", band_names(self.options)[band]))
        batches = candidates(signed, band, self.options, memory=held(self.memory), scratch=scratch)
        entry = write_file(self.storage, path, BUCKETS, batches)
        return [entry], {"documents": entry.rows}

    def _exact(self, shelf: Shelf, scratch: Path) -> pa.Table:
        """Return exact duplicates, and by URL where asked for."""
        urls = None
        with ExitStack() as stack:
            if self.options.urls:
                streams = self._ranked(shelf, ["language"], stack, urls=True)
                urls = url_duplicates(streams, self.options, memory=held(self.memory), scratch=scratch)
            columns = ("language", "exact")
            first = rank_column(self.options) is None
            signed = _Passes(self, shelf, columns) if first else self._ranked(shelf, list(columns), stack)
            return exact_duplicates(signed, self.options, memory=held(self.memory), scratch=scratch, urls=urls)

    def _ranked(self, shelf: Shelf, columns: list[str], stack: ExitStack, *, urls: bool = False) -> Stream:
        """Yield signatures with `priority`, where the survivor is not simply the first; with `urls`, keyed by URL."""
        rank = self._rank(shelf, stack)
        url = stack.enter_context(self._column(shelf, "url")) if urls else None
        for docs, batch in document_ids(self._signatures(shelf, columns)):
            if url is not None:
                batch = batch.append_column("exact", url_keys(url(docs)))
            if rank is not None:
                batch = batch.append_column("priority", rank(docs))
            # Batches of a unit come in row order, so document numbers say rows again.
            yield int(docs[0] >> np.uint64(32)) if len(docs) else 0, batch

    def _rank(self, shelf: Shelf, stack: ExitStack) -> Callable[[Docs], pa.Array] | None:
        """Return what tells documents' priorities; those of earlier runs come before all others."""
        name = rank_column(self.options)
        if name is None:
            return None
        read = stack.enter_context(self._column(shelf, name))

        def rank(docs: Docs) -> pa.Array:
            new = shelf.is_new(docs)
            found = np.full(len(docs), np.inf)
            if new.any():
                told = priorities(read(docs[new]), self.options)
                found[new] = told.fill_null(-np.inf).to_numpy(zero_copy_only=False)
            return pa.array(found)

        return rank

    def _shelf(self, units: Sequence[str]) -> Shelf:
        return stock(self.storage, units, self.options)

    def _signatures(self, shelf: Shelf, columns: list[str]) -> Stream:
        for index, (storage, unit) in enumerate(shelf.places):
            with opened(storage, signatures_path(unit)) as file:
                schema = pa.ipc.open_file(file).schema
                options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in columns])
                reader = pa.ipc.open_file(file, options=options)
                for number in range(reader.num_record_batches):
                    yield index, reader.get_batch(number)

    def _cluster(self, shard: Shard, scratch: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        exact = table_of(self.storage, path_of(PAIR, EXACT))
        parts = [path_of(CLUSTER, name) for name in shard.payload["parts"]]

        def buckets() -> Iterator[pa.RecordBatch]:
            for name in shard.payload["bands"]:
                yield from batches_of(self.storage, path_of(PAIR, name))

        gone, shelf = exact.column("doc").to_numpy(), self._shelf(shard.payload["units"])
        components = self._components(shard, buckets, gone, scratch)
        wanted = None
        if shelf.first:
            # What is among earlier runs alone was decided there, save for what a new document is a copy of.
            kept = np.unique(exact.column("kept_doc").to_numpy()[shelf.is_new(gone)])
            wanted = lambda docs: shelf.is_new(docs) | np.isin(docs, kept)  # noqa: E731
        groups = shard.payload["groups"]
        found = by_group(components.members(len(parts), wanted=wanted), len(groups), len(shelf.places))
        files = [
            write_file(self.storage, path_of(CLUSTER, name), WHERE, batches)
            for name, batches in zip(groups, found, strict=True)
        ]
        for first in range(0, len(parts), OPEN_PARTS):
            some = range(first, min(first + OPEN_PARTS, len(parts)))
            files += self._split(components, buckets, parts, some, wanted)
        return files, {}

    def _components(self, shard: Shard, buckets: Buckets, gone: Docs, scratch: Path) -> Components | ExternalComponents:
        """Return the components: as rounds found them, or in memory where they fit, else by rounds here."""
        room = held(self.memory)
        if "stars" in shard.payload:
            return ExternalComponents(found_stars(self.storage, shard), memory=room, scratch=scratch)
        found = find_components(buckets, exclude=gone, limit=room)
        if found is not None:
            return found
        stars = find_stars(bucket_edges(buckets(), gone), memory=room, scratch=scratch)
        return ExternalComponents(stars.blocks(), memory=room, scratch=scratch)

    def _regroup(self, shard: Shard, _: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        """Write the shingle sets of a group's documents by partition, and beside them which batch is whose."""
        with ExitStack() as stack:
            parted = regroup(self._sets(shard, stack))
            empty = pa.schema([pa.field("doc", pa.uint64())])
            return write_parts(self.storage, path_of(REGROUP, shard.name), empty, parted), {}

    def _sets(self, shard: Shard, stack: ExitStack) -> Iterator[pa.RecordBatch]:
        """Yield (doc, part, set) of a group's documents, and `priority` where the survivor is not simply the first."""
        shelf = self._shelf(shard.payload["units"])
        read = stack.enter_context(self._column(shelf, "set" if self.options.stored else "text"))
        rank = self._rank(shelf, stack)
        for batch in batches_of(self.storage, path_of(CLUSTER, shard.name)):
            for start in range(0, batch.num_rows, _SET_ROWS):
                rows = batch.slice(start, _SET_ROWS)
                docs = rows.column("doc").to_numpy()
                found = read(docs) if self.options.stored else shingle_sets(read(docs), self.options)
                rows = rows.append_column("set", found)
                yield rows if rank is None else rows.append_column("priority", rank(docs))

    def _split(
        self,
        components: Components | ExternalComponents,
        buckets: Buckets,
        parts: list[str],
        some: range,
        wanted: Wanted | None,
    ) -> list[FileEntry]:
        """Write some of the partitions, in one pass over the buckets."""
        with ExitStack() as stack:
            sinks = {part: stack.enter_context(self.storage.create(parts[part])) for part in some}
            writers = {
                part: stack.enter_context(pa.ipc.new_file(sink, MEMBERS, options=WORK_FILE))
                for part, sink in sinks.items()
            }
            for part, members in components.split(buckets, len(parts), wanted=wanted):
                if part in sinks:
                    writers[part].write_batch(members)
                    sinks[part].rows += members.num_rows
        return [sink.entry(parts[part]) for part, sink in sinks.items()]

    def _resolve(self, shard: Shard, scratch: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        members = batches_of(self.storage, path_of(CLUSTER, shard.name))
        groups = [path_of(REGROUP, name) for name in shard.payload["groups"]]
        sets = Regrouped(read_parts(self.storage, groups, shard.payload["parts"].index(shard.name)))
        near = resolve(members, sets, self.options, memory=held(self.memory), scratch=scratch)
        return [write_file(self.storage, path_of(RESOLVE, shard.name), near.schema, near.to_batches())], {
            "documents": near.num_rows
        }

    def _verdict(self, shard: Shard, _: Path) -> tuple[list[FileEntry], dict[str, Any]]:
        near = pa.concat_tables([table_of(self.storage, path_of(RESOLVE, name)) for name in shard.payload["parts"]])
        drops = combine(table_of(self.storage, path_of(PAIR, EXACT)), near).combine_chunks()
        shelf = self._shelf(shard.payload["units"])
        keepers, first = np.unique(drops.column("kept_doc").to_numpy(), return_index=True)
        clusters = pa.table({"doc": keepers, "size": drops.column("size").to_numpy()[first]})
        place = np.searchsorted(keepers, drops.column("kept_doc").to_numpy())
        drops = drops.append_column("kept_id", self._ids(shelf, keepers).take(pa.array(place)))
        fresh = range(shelf.first, len(shelf.places))
        files = [
            write_file(self.storage, verdicts_path(), VERDICTS, (_of_unit(drops, clusters, unit) for unit in fresh)),
            self._write_provenance(shelf, drops, fresh),
        ]
        return files, self._facts(shelf, drops, clusters)

    def _facts(self, shelf: Shelf, drops: pa.Table, clusters: pa.Table) -> dict[str, Any]:
        return found_clusters(shelf, drops, clusters, self._column, self.options)

    def _write_provenance(self, shelf: Shelf, drops: pa.Table, units: range) -> FileEntry:
        with (
            self._column(shelf, "id") as fetch,
            self.storage.create(PROVENANCE_FILE) as sink,
            pq.ParquetWriter(sink, PROVENANCE, compression="zstd") as writer,
        ):
            for unit in units:
                gone = of_unit(drops, unit)
                if gone.num_rows:
                    ids = fetch(gone.column("doc").to_numpy())
                    columns = [ids, *(gone.column(name) for name in ("kept_id", "kind", "similarity", "band"))]
                    columns += [gone.column("kept_doc"), gone.column("size")]
                    writer.write_table(pa.table(columns, PROVENANCE.names).cast(PROVENANCE))
                    sink.rows += gone.num_rows
        return sink.entry(PROVENANCE_FILE)

    def _ids(self, shelf: Shelf, docs: Docs) -> pa.Array:
        """Return documents' ids; those of earlier runs whose texts were cleaned away are named by folder and row."""
        units = units_of(docs)
        here = np.array([self._has_texts(shelf, unit) for unit in range(len(shelf.places))], np.bool_)
        told = here[units] if len(docs) else np.zeros(0, np.bool_)
        with self._column(shelf, "id") as fetch:
            ids = fetch(docs[told]).to_pylist()
        names = iter(ids)
        rows = zip(told.tolist(), units.tolist(), rows_of(docs).tolist(), strict=True)
        made = [next(names) if known else f"{shelf.path_of(unit)}#{row}" for known, unit, row in rows]
        return pa.array(made, pa.large_string())

    def _has_texts(self, shelf: Shelf, unit: int) -> bool:
        storage, name = shelf.places[unit]
        return unit >= shelf.first or storage.exists(sifted_path(name))

    def _column(self, shelf: Shelf, name: str) -> AbstractContextManager[Reads]:
        """Return what reads a column of the survivors, of their signatures or scores, by document number."""
        if name == self.scored:
            return Survivors(shelf.places, "rank", scores_path)
        return Survivors(
            shelf.places, name, signatures_path if name in ("set", "language", "shingles") else sifted_path
        )


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


@dataclass(frozen=True, slots=True)
class _Passes:
    """Signatures that can be walked again and again; `rows` is how many there are."""

    work: Deduplicate
    shelf: Shelf
    columns: tuple[str, ...]

    def __iter__(self) -> Stream:
        return self.work._signatures(self.shelf, list(self.columns))

    @property
    def rows(self) -> int:
        """How many signatures there are; counted once in a process, since files do not change under a run."""
        key = tuple((storage.root, unit) for storage, unit in self.shelf.places)
        if key not in _counted:
            _counted.clear()
            _counted[key] = sum(batch.num_rows for _, batch in self.work._signatures(self.shelf, ["shingles"]))
        return _counted[key]


_counted: dict[tuple[tuple[str, str], ...], int] = {}
