"""Outputs: the ledger and report files a finished run publishes, and reading them back."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tamis.budget.assemble import as_json, assemble
from tamis.budget.ledger import Ledger, from_table
from tamis.budget.page import View, render
from tamis.budget.summary import LanguageSummary
from tamis.pipeline import languages, scoring, tokens
from tamis.pipeline.findings import raised, rates, residue
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.readings import decoded
from tamis.pipeline.storage import Storage
from tamis.warc.manifest import Source

BUDGET = "report/budget.json"
PAGE = "report/index.html"
LOCK = "recipe.lock.json"


def write_reports(storage: Storage, ledger: Ledger, receipts: Sequence[Receipt], problems: Sequence[Source]) -> None:
    """Write `ledger.parquet`, `ledger.csv`, and `report/` (budget as JSON and CSV, and a page)."""
    table = ledger.table()
    storage.write("ledger.parquet", _parquet(table))
    storage.write("ledger.csv", _csv(table))
    view = report_view(storage, ledger, receipts, problems)
    storage.write(BUDGET, as_json(view).encode())
    storage.write("report/budget.csv", _csv(_budget_table([each.summary for each in view.yields])))
    storage.write(PAGE, render(view).encode())


def report_view(
    storage: Storage,
    ledger: Ledger,
    receipts: Sequence[Receipt],
    problems: Sequence[Source],
    *,
    crawl: int | None = None,
    year: int | None = None,
    rule: str = "chinchilla",
    gpu: str = "A100",
    utilisation: float = 0.35,
) -> View:
    """Return what the report of a run shows; with `crawl` and `year` in files, estimates for them too."""
    return assemble(
        ledger,
        receipts,
        storage.open,
        settings=(storage.read_json(LOCK) or {}).get("settings", {}),
        problems=[(each.name, each.problem) for each in problems],
        notes=[*tokens.notes(receipts), *decoded(receipts), *residue(receipts)],
        alarms=raised(ledger, receipts),
        removals=rates(receipts),
        scores=languages.read_report(storage),
        qualities=scoring.calibration(storage, receipts),
        crawl=crawl,
        year=year,
        rule=rule,
        gpu=gpu,
        utilisation=utilisation,
    )


def _budget_table(languages: Sequence[LanguageSummary]) -> pa.Table:
    rows = [language.to_json() for language in languages]
    return pa.Table.from_pylist(rows) if rows else pa.table({"language": pa.array([], pa.large_string())})


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _csv(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pa_csv.write_csv(table, buffer)
    return buffer.getvalue()


def read_ledger(storage: Storage) -> Ledger:
    """Return the ledger of a published run."""
    with storage.open("ledger.parquet") as file:
        return from_table(pq.read_table(file))


def read_problems(storage: Storage) -> tuple[Source, ...]:
    """Return the inputs a published run could not read."""
    budget = storage.read_json(BUDGET) or {"problems": []}
    return tuple(Source(each["name"], "", "warc", None, each["problem"]) for each in budget["problems"])
