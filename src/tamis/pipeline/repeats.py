"""Repeats: lines that many of the documents that stay share, counted by groups of units and cut from each document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.budget.ledger import Amount, Ledger
from tamis.columns import byte_lengths, put
from tamis.dedup.estimate import held
from tamis.dedup.lines import COUNTED, Keys, common_lines, counted_lines, cut_lines
from tamis.dedup.options import DedupOptions, LineOptions
from tamis.pipeline import models
from tamis.pipeline.arrowfiles import batches_of, path_of, sifted_path, verdicts_path, write_file
from tamis.pipeline.dedupplan import COUNT
from tamis.pipeline.drops import Drops
from tamis.pipeline.settings import Settings
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import FileEntry, Storage
from tamis.pipeline.verified import opened
from tamis.pipeline.whereabouts import units_of_group

# The step of the ledger, and why text or a whole document goes.
LINES = "lines"
REASON = "repeated_line"
NOTHING_LEFT = "repeated_lines_only"
_MEASURES = ("bytes", "chars", "tokens")


def common_path() -> str:
    """Where the keys of lines to be cut lie."""
    return "work/common/all.arrow"


def kept_texts(storage: Storage, unit: str, verdicts: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield `text` of a unit's survivors that are no duplicates; `verdicts` are the unit's."""
    gone = verdicts.filter(verdicts.column("reason").is_valid()).column("row").to_numpy()
    start = 0
    with opened(storage, sifted_path(unit)) as file:
        schema = pa.ipc.open_file(file).schema
        options = pa.ipc.IpcReadOptions(included_fields=[schema.get_field_index("text")])
        reader = pa.ipc.open_file(file, options=options)
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            stays = np.ones(batch.num_rows, np.bool_)
            inside = slice(*np.searchsorted(gone, [start, start + batch.num_rows]).tolist())
            stays[gone[inside] - start] = False
            start += batch.num_rows
            yield batch.filter(pa.array(stays))


def count_lines(
    dedup: DedupOptions, storage: Storage, memory: int, shard: Shard, scratch: Path
) -> tuple[list[FileEntry], dict[str, Any]]:
    """Count the lines of a group's documents that stay: in how many of them each occurs. Returns its file and facts."""
    options, units = _lines(dedup), shard.payload["units"]

    def texts() -> Iterator[tuple[int, pa.RecordBatch]]:
        with opened(storage, verdicts_path()) as file:
            verdicts = pa.ipc.open_file(file)
            for index in units_of_group(shard.payload["groups"], shard.name, len(units)):
                for batch in kept_texts(storage, units[index], verdicts.get_batch(index)):
                    yield index, batch

    counted = counted_lines(texts(), options, memory=held(memory), scratch=scratch)
    return [write_file(storage, path_of(COUNT, shard.name), COUNTED, counted)], {}


def find_common(
    dedup: DedupOptions, storage: Storage, memory: int, shard: Shard, scratch: Path
) -> tuple[list[FileEntry], dict[str, Any]]:
    """Write which lines are common, all groups together. Returns the file and facts."""
    groups = shard.payload["groups"]
    counted = (batch for name in groups for batch in batches_of(storage, path_of(COUNT, name)))
    batch = pa.record_batch([common_lines(counted, _lines(dedup), held(memory), scratch)], ["line"])
    return [write_file(storage, common_path(), batch.schema, [batch])], {"lines": batch.num_rows}


def _lines(dedup: DedupOptions) -> LineOptions:
    assert dedup.lines is not None
    return dedup.lines


def read_common(storage: Storage, path: str | None) -> Keys | None:
    """Return the keys of lines to be cut, sorted; None where none are."""
    if path is None:
        return None
    with opened(storage, path) as file:
        keys: Keys = pa.ipc.open_file(file).read_all().column("line").to_numpy()
        return keys


def cut(
    batch: pa.RecordBatch, lines: Keys, options: LineOptions, settings: Settings, ledger: Ledger, drops: Drops
) -> pa.RecordBatch:
    """Return the documents without these lines, measured anew; books what was cut, and drops what had nothing else."""
    ledger.book_batch(LINES, "in", batch)
    texts, lost = cut_lines(batch.column("text"), lines, options)
    changed = lost > 0
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0).to_numpy(zero_copy_only=False)
    shorter = _measured(batch, texts, changed, settings)
    empty = pa.array(changed & blank)
    dropped, kept = batch.filter(empty), shorter.filter(pc.invert(empty))
    dropped = put(dropped, "reason", pa.array([NOTHING_LEFT] * dropped.num_rows, pa.large_string()))
    _book_cut(batch.filter(pc.invert(empty)), kept, ledger)
    ledger.book_batch(LINES, "kept", kept)
    ledger.book_batch(LINES, "dropped", dropped)
    drops.add(LINES, dropped)
    return kept


def _measured(
    batch: pa.RecordBatch, texts: pa.LargeStringArray, changed: npt.NDArray[np.bool_], settings: Settings
) -> pa.RecordBatch:
    some = texts.filter(pa.array(changed))
    encoder = models.encoder(settings.tokenize.tokenizer)
    fresh: dict[str, Any] = {
        "bytes": byte_lengths(some),
        "chars": pc.utf8_length(some),
        "tokens": encoder.count(some),
    }
    batch = put(batch, "text", texts)
    for name in _MEASURES:
        whole = batch.column(name).to_numpy().copy()
        whole[changed] = np.asarray(fresh[name])
        batch = put(batch, name, whole)
    return batch


def _book_cut(before: pa.RecordBatch, after: pa.RecordBatch, ledger: Ledger) -> None:
    """Book what the documents that stay have lost, by language: no documents, but text."""
    lost = [before.column(name).to_numpy() - after.column(name).to_numpy() for name in _MEASURES]
    languages = before.column("language")
    for code in sorted(languages.unique().to_pylist()):
        here = pc.equal(languages, code).to_numpy(zero_copy_only=False)
        amount = Amount(0, *(int(each[here].sum()) for each in lost))
        if any((amount.bytes, amount.chars, amount.tokens)):
            ledger.book(LINES, code, "dropped", amount, REASON)
