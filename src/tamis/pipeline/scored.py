"""Scored: the score stage by itself, from files to a file, the books balanced.

This process is the worker: it loads the model, and takes the card. A run has processes of their own for that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from tamis.budget.ledger import Ledger
from tamis.columns import put
from tamis.pipeline import cutoffs, scoring, tables
from tamis.pipeline.arrowfiles import WORK_FILE
from tamis.pipeline.drops import Drops
from tamis.pipeline.inbox import Given
from tamis.pipeline.placement import settle_here
from tamis.pipeline.stage import settings_of
from tamis.pipeline.standalone import StageReport, Standalone
from tamis.scoring.options import ScoringOptions


def score(
    source: Given, output: str | Path, *, options: ScoringOptions, text_field: str = "text", overwrite: bool = False
) -> StageReport:
    """Add the score, its windows and coverage to every document; drop those beyond the cutoff, where one is asked for.

    Percentiles are those of the input's own `language`, or of all together where it states none; scored documents then
    wait in a scratch file beside the output. Raises ConfigError, InputError, OutputError, ModelError or
    MissingExtraError.
    """
    device = settle_here(options)

    def through(batches: Iterator[pa.RecordBatch], ledger: Ledger, drops: Drops) -> Iterator[pa.RecordBatch]:
        scored = added(batches, options, device)
        if not options.judges:
            for batch in scored:
                ledger.book_batch(scoring.SCORE, "in", batch)
                ledger.book_batch(scoring.SCORE, "kept", batch)
                yield batch
            return
        folder = tables.target(str(output), overwrite=True).folder
        with tempfile.TemporaryDirectory(prefix=".tamis-score-", dir=None if "://" in folder else folder) as scratch:
            yield from _judged(scored, options, Path(scratch, "scored.arrow"), ledger, drops)

    stage = Standalone(settings_of(text_field), [scoring.SCORE], pa.schema(scoring.fields(options)))
    return stage.run(source, str(output), through, overwrite=overwrite)


def added(batches: Iterable[pa.RecordBatch], options: ScoringOptions, device: str) -> Iterator[pa.RecordBatch]:
    """Yield the batches with their scores."""
    waiting: list[pa.RecordBatch] = []

    def texts() -> Iterator[pa.LargeStringArray]:
        for batch in batches:
            waiting.append(batch)
            yield batch.column("text")

    for scored in scoring.scorer(options, device).stream(texts()):
        batch = waiting.pop(0)
        for name, column in zip(options.columns, scored.columns(), strict=True):
            batch = put(batch, name, column)
        yield batch


def _judged(
    scored: Iterator[pa.RecordBatch], options: ScoringOptions, scratch: Path, ledger: Ledger, drops: Drops
) -> Iterator[pa.RecordBatch]:
    """Yield what stays, once every score is known."""
    with ExitStack() as stack:
        writer: pa.RecordBatchFileWriter | None = None

        def measured() -> Iterator[pa.RecordBatch]:
            nonlocal writer
            for batch in scored:
                if writer is None:
                    writer = stack.enter_context(pa.ipc.new_file(str(scratch), batch.schema, options=WORK_FILE))
                writer.write_batch(batch)
                columns = [batch.column(name) for name in ("language", options.name, "tokens")]
                yield pa.RecordBatch.from_arrays(columns, ["language", "score", "tokens"])

        found = cutoffs.gather(measured())
    if writer is None:
        return
    table = cutoffs.table(found, options, scoring.higher_is_better(options))
    judge = scoring.Judge(options, table, pa.table({}))
    with pa.OSFile(str(scratch)) as file:
        reader = pa.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            yield judge.passed(reader.get_batch(index), ledger, drops)
