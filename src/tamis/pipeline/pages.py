"""Pages: the records of one span of input, each booked once, and those that can become documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tamis.budget.ledger import Amount, Ledger
from tamis.extract.checks import precheck
from tamis.pipeline.care import Care
from tamis.pipeline.drops import Drops
from tamis.schema import DROPPED, TEXT, UNDETERMINED
from tamis.warc.record import Record

STEP = "read"
PAGE_TYPES = ("response", "resource")
TEXT_TYPES = ("conversion",)

# Pages handed on together: bounded by bytes for memory, by count for latency.
BATCH_BYTES = 16 << 20
BATCH_PAGES = 256


@dataclass(frozen=True, slots=True)
class Page:
    """A record that may become a document; `html` is False where the payload is ready-made text."""

    id: str
    url: str | None
    date: str | None
    payload: bytes
    charset: str | None
    html: bool


class Pages:
    """Books every record of (file name, record) pairs, and lists what is set aside. Iterating yields lists of pages."""

    def __init__(
        self, records: Iterable[tuple[str, Record]], ledger: Ledger, drops: Drops, care: Care | None = None
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._drops = drops
        self._rejected: list[dict[str, Any]] = []
        self._care = care or Care()

    def __iter__(self) -> Iterator[list[Page]]:
        held: list[Page] = []
        size = 0
        for name, record in self._records:
            self._care.beat()
            page = self._admit(name, record)
            if page is not None and self._care.note:
                self._care.note(page.id)
                yield [page]
                self._care.note("")
            elif page is not None:
                held.append(page)
                size += len(page.payload)
            if size >= BATCH_BYTES or len(held) >= BATCH_PAGES:
                yield held
                held, size = [], 0
        if held:
            yield held
        flush_rejected(self._drops, STEP, self._rejected)

    def _admit(self, name: str, record: Record) -> Page | None:
        amount = Amount(1, len(record.payload))
        self._ledger.book(STEP, UNDETERMINED, "in", amount)
        reason, value = self._care.poison.get(f"{name}:{record.offset}", ""), None
        if not reason:
            reason, value = reject(record)
        if reason:
            self._ledger.book(STEP, UNDETERMINED, "dropped", amount, reason)
            if not reason.startswith("record_"):
                self._rejected.append(rejection(name, record, reason, value))
            return None
        self._ledger.book(STEP, UNDETERMINED, "kept", amount)
        html = record.type not in TEXT_TYPES
        return Page(f"{name}:{record.offset}", record.url, record.date, record.payload, record.charset, html)


def reject(record: Record) -> tuple[str, float | None]:
    """Return why a record is no page and the value that decided it, or an empty reason.

    `record_<type>` are records that never were documents (requests, warcinfo, revisits): booked, not listed.
    """
    if record.problem:
        return record.problem, None
    if record.type in TEXT_TYPES:
        return "", None
    if record.type not in PAGE_TYPES:
        return f"record_{record.type or 'untyped'}", None
    if record.status is not None and record.status != 200:
        return "http_status", float(record.status)
    return (precheck(record.mime, record.payload) or "").removeprefix("extract:"), None


def rejection(name: str, record: Record, reason: str, value: float | None) -> dict[str, Any]:
    """Return a rejected record as a row of `dropped/`."""
    return {
        "id": f"{name}:{record.offset}",
        "url": record.url,
        "language": UNDETERMINED,
        "reason": reason,
        "value": value,
        "bytes": len(record.payload),
        "chars": 0,
        "tokens": 0,
        "detail": record.detail or record.mime,
    }


def flush_rejected(drops: Drops, step: str, rows: list[dict[str, Any]]) -> None:
    """Hand rejected rows to `drops` as one batch, and forget them."""
    if rows:
        drops.add(step, to_batch(rows))
        rows.clear()


def to_batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """Return dictionaries with equal keys as a record batch with DROPPED's types."""
    names = list(rows[0])
    types = {name: DROPPED.field(name).type if name in DROPPED.names else TEXT for name in names}
    arrays = [pa.array([row[name] for row in rows], types[name]) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names)
