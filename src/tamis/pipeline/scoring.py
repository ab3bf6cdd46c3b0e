"""The score steps: survivors scored by a model, and the cutoffs that their scores give, by language.

Scores lie beside the survivors, row by row. They are made before deduplication where duplicates are chosen by score,
and after it otherwise, when there are fewer documents to score. Cutoffs count what deduplication leaves, either way.
Documents are judged when they are written, so that another cutoff needs no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.budget.ledger import Ledger
from tamis.columns import put
from tamis.errors import BooksError
from tamis.pipeline import cutoffs
from tamis.pipeline.arrowfiles import WORK_FILE, path_of, sifted_path, table_of
from tamis.pipeline.drops import Drops
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.step import Step
from tamis.pipeline.storage import Storage
from tamis.pipeline.verified import opened
from tamis.scoring.found import inspect
from tamis.scoring.options import ScoringOptions
from tamis.scoring.scorer import Scorer

if TYPE_CHECKING:
    from tamis.dedup.options import DedupOptions

SCORE = "score"
CUTOFF = "cutoff"

# The calibration table of a run, beside its documents.
CUTOFFS_FILE = "scores.parquet"

# One row per survivor of the sift step; all null but language and tokens for those that deduplication removed first.
# `rank` is the score with its better end up.
SCORES = pa.schema(
    [
        pa.field("language", pa.large_string(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("score", pa.float32()),
        pa.field("windows", pa.int32()),
        pa.field("coverage", pa.float32()),
        pa.field("rank", pa.float32()),
    ]
)


def scores_path(unit: str) -> str:
    """Where the scores of a unit's survivors lie; row k there is row k of the survivors."""
    return path_of(SCORE, unit)


def fields(options: ScoringOptions | None) -> list[pa.Field]:
    """Return the columns documents have more for being scored."""
    kinds = (pa.float32(), pa.int32(), pa.float32())
    return [] if options is None else [pa.field(*each) for each in zip(options.columns, kinds, strict=True)]


def score_steps(options: ScoringOptions | None) -> list[str]:
    """Return the steps of the ledger that judging by score books."""
    return [] if options is None else [SCORE]


def first(options: ScoringOptions | None, dedup: DedupOptions | None) -> bool:
    """Return whether scores are made before deduplication: where the best of equals is to stay."""
    return (
        options is not None and dedup is not None and dedup.survivor == "score" and dedup.score_column == options.name
    )


def fingerprint(options: ScoringOptions) -> dict[str, Any]:
    """Return what scores depend on: the settings, and the model by its checksum, wherever it lies."""
    return options.measuring() | {"model": inspect(options).checksum}


def described(options: ScoringOptions) -> dict[str, Any]:
    """Return the settings as `recipe.lock.json` has them."""
    return fingerprint(options) | options.judging()


@dataclass(frozen=True)
class Score:
    """The work of a score shard: one unit's survivors scored. Its payload has `verdicts`, the path of deduplication's
    answer or None, and `index`, which of its batches is this unit's.

    device: "cpu" or "cuda", as settled by the driver.
    """

    options: ScoringOptions
    storage: Storage
    device: str = "cpu"

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Write one unit's scores; returns its receipt."""
        facts = {"scored": 0, "windows": 0}
        with (
            opened(self.storage, sifted_path(shard.name)) as file,
            self.storage.create(scores_path(shard.name)) as sink,
            pa.ipc.new_file(sink, SCORES, options=WORK_FILE) as writer,
            alone(self.device),
        ):
            reader = pa.ipc.open_file(file)
            given = [reader.get_batch(index).num_rows for index in range(reader.num_record_batches)]
            gone = removed(self.storage, shard, sum(given))
            for batch in self._score(reader, gone):
                writer.write_batch(batch)
                sink.rows += batch.num_rows
                facts["scored"] += batch.num_rows - batch.column("score").null_count
                facts["windows"] += pc.sum(batch.column("windows")).as_py() or 0
        if sink.rows != sum(given):
            raise BooksError(f"{sum(given)} documents were to be scored, {sink.rows} were.", "Report this.")
        return (Receipt(SCORE, shard.name, shard.fingerprint, (), (sink.entry(scores_path(shard.name)),), facts),)

    def _score(self, reader: pa.RecordBatchFileReader, gone: npt.NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
        model = scorer(self.options, self.device)
        waiting: list[tuple[pa.RecordBatch, npt.NDArray[np.bool_]]] = []

        def texts() -> Iterator[pa.LargeStringArray]:
            start = 0
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                stays = ~gone[start : start + batch.num_rows]
                start += batch.num_rows
                waiting.append((batch.select(["language", "tokens"]), stays))
                yield batch.column("text").filter(pa.array(stays))

        for scored in model.stream(texts()):
            batch, stays = waiting.pop(0)
            place = pa.array(np.cumsum(stays) - 1, mask=~stays)
            score, *others = (column.take(place) for column in scored.columns())
            rank = score if model.higher_is_better else pc.negate(score)
            yield pa.RecordBatch.from_arrays([*batch.columns, score, *others, rank], schema=SCORES)


def removed(storage: Storage, shard: Shard, rows: int) -> npt.NDArray[np.bool_]:
    """Return which rows of a unit deduplication has removed, boolean (rows,); none where it has not run."""
    gone = np.zeros(rows, np.bool_)
    if shard.payload["verdicts"] is not None:
        with opened(storage, shard.payload["verdicts"]) as file:
            verdicts = pa.ipc.open_file(file).get_batch(shard.payload["index"])
        gone[verdicts.filter(pc.is_valid(verdicts.column("reason"))).column("row").to_numpy()] = True
    return gone


def scorer(options: ScoringOptions, device: str) -> Scorer:
    """Return the scorer of a process, loaded once; on CUDA it claims a card."""
    # Bounds may hold tables by language, which have no hash, and change no score.
    return _scorer(replace(options, keep_percent=None, cutoff=None), device)


@lru_cache(maxsize=1)
def _scorer(options: ScoringOptions, device: str) -> Scorer:
    from tamis.scoring.scorer import load

    if device == "cuda" and inspect(options).kind != "fasttext":
        from tamis.scoring.device import claim

        device = claim(options.gpus)
    return load(options, device)


@contextmanager
def alone(device: str) -> Iterator[None]:
    """On the CPU, score with one thread: as many workers as cores do, and sums of other threads are other bytes."""
    if device != "cpu":
        yield
        return
    from tamis.scoring.device import one_thread

    with one_thread():
        yield


@dataclass(frozen=True)
class Cutoffs:
    """The work of the one cutoff shard: the calibration table from every unit's scores. Its payload has `units` and
    `verdicts`, as score shards have."""

    options: ScoringOptions
    storage: Storage

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        """Write the table; returns the receipt."""
        found = cutoffs.gather(self._batches(shard))
        made = cutoffs.table(found, self.options, higher_is_better(self.options))
        with self.storage.create(CUTOFFS_FILE) as sink:
            pq.write_table(made, sink, compression="zstd")
            sink.rows = made.num_rows
        return (Receipt(CUTOFF, shard.name, shard.fingerprint, (), (sink.entry(CUTOFFS_FILE),)),)

    def _batches(self, shard: Shard) -> Iterator[pa.RecordBatch]:
        for index, unit in enumerate(shard.payload["units"]):
            table = read(self.storage, unit)
            one = replace(shard, payload={**shard.payload, "index": index})
            stays = pa.array(~removed(self.storage, one, table.num_rows))
            yield from table.filter(stays).to_batches()


def higher_is_better(options: ScoringOptions) -> bool:
    """Return which end of the scores is the good one: as told, or as the kind of model has it."""
    told = options.higher_is_better
    return inspect(options).higher_is_better if told is None else told


def read(storage: Storage, unit: str) -> pa.Table:
    """Return the scores of a unit, schema SCORES."""
    return table_of(storage, scores_path(unit))


def calibration(storage: Storage, receipts: Sequence[Receipt]) -> list[dict[str, Any]]:
    """Return the calibration table of a run as rows; none where nothing was scored."""
    if not any(receipt.step == CUTOFF for receipt in receipts):
        return []
    with storage.open(CUTOFFS_FILE) as file:
        rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return [{name: _finite(value) for name, value in row.items()} for row in rows]


def _finite(value: Any) -> Any:
    # JSON has no infinity; a language of which nothing is kept has no cutoff that could be shown either.
    return None if isinstance(value, float) and not np.isfinite(value) else value


class Judge:
    """Gives a unit's documents their scores, and drops those beyond their language's cutoff."""

    def __init__(self, options: ScoringOptions, table: pa.Table, scores: pa.Table) -> None:
        self._options = options
        self._scores = scores.combine_chunks()
        self._higher = higher_is_better(options)
        rows = table.select(["language", "cutoff"]).to_pylist()
        self._cutoffs = {row["language"]: row["cutoff"] for row in rows}

    def scored(self, batch: pa.RecordBatch, start: int) -> pa.RecordBatch:
        """Return a unit's batch that begins at row `start` with its score columns."""
        mine = self._scores.slice(start, batch.num_rows).combine_chunks()
        for name, column in zip(self._options.columns, ("score", "windows", "coverage"), strict=True):
            values = mine.column(column)
            batch = put(batch, name, values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values)
        return batch

    def split(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Return (kept, dropped); the dropped with `reason`, `value` and `threshold`. Unscored ones never pass a
        cutoff."""
        if not self._options.judges:
            return batch, batch.slice(0, 0)
        values = batch.column(self._options.name).cast(pa.float64()).to_numpy(zero_copy_only=False)
        bounds = [self._cutoffs[code] for code in batch.column("language").to_pylist()]
        least = np.array([np.nan if bound is None else bound for bound in bounds], np.float64)
        passes = (values >= least if self._higher else values <= least) | np.isnan(least)
        dropped = batch.filter(pa.array(~passes))
        reasons = pa.array([self._options.name] * dropped.num_rows, pa.large_string())
        for name, column in (("reason", reasons), ("value", values[~passes]), ("threshold", least[~passes])):
            dropped = put(dropped, name, column if name == "reason" else pa.array(column, from_pandas=True))
        return batch.filter(pa.array(passes)), dropped

    def passed(self, batch: pa.RecordBatch, ledger: Ledger, drops: Drops) -> pa.RecordBatch:
        """Return the documents of a batch that stay; books all, and lists the others."""
        kept, dropped = self.split(batch)
        ledger.book_batch(SCORE, "in", batch)
        ledger.book_batch(SCORE, "kept", kept)
        ledger.book_batch(SCORE, "dropped", dropped)
        drops.add(SCORE, dropped)
        return kept


def judge(options: ScoringOptions | None, storage: Storage, unit: str) -> Judge | None:
    """Return what judges a unit's documents, None where nothing is scored."""
    if options is None:
        return None
    with storage.open(CUTOFFS_FILE) as file:
        return Judge(options, pq.read_table(file), read(storage, unit))


def plan(step: Step, sift: Sequence[Shard], after: str, verdicts: str | None) -> tuple[Shard, ...]:
    """Return the score shards of units; `after` is the fingerprint of what deduplication left, "" before it."""
    return tuple(
        Shard(SCORE, unit.name, step.of([unit.fingerprint, after]), {"verdicts": verdicts, "index": index})
        for index, unit in enumerate(sift)
    )


def plan_cutoff(step: Step, scored: Sequence[Shard], after: str, verdicts: str | None) -> tuple[Shard, ...]:
    """Return the one shard that finds cutoffs, where anything is scored."""
    if not scored:
        return ()
    inputs = [*(shard.fingerprint for shard in scored), after]
    return (Shard(CUTOFF, "all", step.of(inputs), {"units": [s.name for s in scored], "verdicts": verdicts}),)
