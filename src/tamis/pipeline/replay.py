"""Replay: one record through every stage in this process, with what each of them saw and said."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tamis.budget.ledger import Ledger
from tamis.errors import InputError
from tamis.extract.extractor import load
from tamis.pipeline import languages
from tamis.pipeline.drops import Drops
from tamis.pipeline.extraction import Extraction
from tamis.pipeline.pages import reject
from tamis.pipeline.settings import Settings
from tamis.pipeline.sift import Sift
from tamis.pipeline.storage import InputFiles
from tamis.text.encoding import decode
from tamis.warc.manifest import kind_by_name
from tamis.warc.reader import Reader
from tamis.warc.record import Record

# How much of a text a trace shows.
SHOWN_CHARS = 500


@dataclass(frozen=True, slots=True)
class Trace:
    """What one stage saw: its name, and its findings by name."""

    stage: str
    found: Mapping[str, Any]


def replay(ident: str, settings: Settings, *, source: str | None = None, sandbox: bool = True) -> Iterator[Trace]:
    """Yield the trace of the record `<file>:<offset>`, stage by stage, until one drops it.

    `source` is where the file lies, if not where the id says. Without `sandbox` the extractor runs in this process, so
    that a debugger can enter it and its exceptions and crashes are seen where they happen. Raises InputError where
    there is no such file or record.
    """
    name, _, digits = ident.rpartition(":")
    if not name or not digits.isdigit():
        raise InputError(f"{ident!r} is no record.", "Give FILE:OFFSET, as in the id of a document.")
    place, offset = source or name, int(digits)
    if "://" not in place and not Path(place).is_file():
        raise InputError(f"{place} does not exist.", "Say where the file lies with --input.")
    files = InputFiles(".")
    if (kind_by_name(place) or "warc") == "warc":
        record = _record(files, place, offset)
        yield from _page(record, settings, sandbox)
    yield from _stages(name, place, offset, settings, files)


def _record(files: InputFiles, place: str, offset: int) -> Record:
    with files.open(place) as stream:
        for record in Reader(stream, start=offset, end=offset + 1):
            if record.offset == offset:
                return record
    raise InputError(f"No record of {place} starts at byte {offset}.", "Take the number from the id of a document.")


def _page(record: Record, settings: Settings, sandbox: bool) -> Iterator[Trace]:
    fields = ("type", "url", "date", "status", "mime", "charset", "problem", "detail")
    yield Trace("record", {name: getattr(record, name) for name in fields} | {"payload_bytes": len(record.payload)})
    reason, value = reject(record)
    if reason:
        yield Trace("dropped", {"step": "read", "reason": reason, "value": value})
        return
    decoded = decode(record.payload, header_charset=record.charset)
    yield Trace("decode", {"charset": decoded.charset, "rule": decoded.rule, "chars": len(decoded.text)})
    if not sandbox:
        found = load(settings.extract.extractor, dict(settings.extract.options)).extract(decoded.text, record.url)
        yield Trace("extract", {"title": found.title, "chars": len(found.text), "text": found.text[:SHOWN_CHARS]})


def _stages(name: str, place: str, offset: int, settings: Settings, files: InputFiles) -> Iterator[Trace]:
    """Yield what the pipeline's own stages make of the record; they are the same code as in a run."""
    kind = kind_by_name(place) or "warc"
    shard = {"name": name, "uri": place, "kind": kind, "start": offset, "end": offset + 1}
    # Bounds that come from a whole run's scores are not known of one record: the lowest holds.
    settings = dataclasses.replace(settings, langid=languages.settle(settings.langid, []))
    ledger, drops = Ledger(), Drops(settings.output)
    ident = f"{name}:{offset}"
    texts = [
        batch.slice(row, 1)
        for batch in Extraction(settings, ledger, drops, {}).run(shard, files)
        for row, each in enumerate(batch.column("id").to_pylist())
        if each == ident
    ]
    for text in texts:
        shown = _row(text)
        yield Trace("langid", {name: shown[name] for name in languages.COLUMNS if shown[name] not in (None, 0.0)})
        yield Trace("text", {key: shown[key] for key in ("title", "bytes", "chars", "tokens", "text")})
    for survivor in Sift(settings, ledger, drops).run(texts):
        yield Trace("kept", {key: value for key, value in _row(survivor).items() if key != "text"})
    for row in drops.table().to_pylist():
        if row["id"] == ident:
            yield Trace("dropped", {key: value for key, value in row.items() if value is not None and key != "sample"})


def _row(batch: pa.RecordBatch) -> dict[str, Any]:
    row: dict[str, Any] = batch.to_pylist()[0]
    return row | ({"text": row["text"][:SHOWN_CHARS]} if "text" in row else {})
