"""The extract step: pages in, texts with their language and token count out. The dear half of curate."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tamis.budget.ledger import Amount, Ledger
from tamis.columns import as_text, byte_lengths
from tamis.extract.extractor import Failure
from tamis.extract.plain import Plain
from tamis.pipeline import languages, models
from tamis.pipeline.care import Care
from tamis.pipeline.drops import Drops
from tamis.pipeline.early import EarlyExit
from tamis.pipeline.packs import merged
from tamis.pipeline.pages import Page, Pages, flush_rejected, to_batch
from tamis.pipeline.readings import count_charset, note_end, watched
from tamis.pipeline.selected import KIND, selection
from tamis.pipeline.settings import Settings
from tamis.pipeline.storage import InputFiles
from tamis.pipeline.texts import BATCH_BYTES, BATCH_ROWS, Texts
from tamis.schema import EXTRACTED, TEXT, UNDETERMINED
from tamis.text.encoding import decode, to_utf8
from tamis.warc.reader import Reader
from tamis.warc.record import Record

STEPS = ("read", "url", "extract", "langid")
EMPTY = "empty"

# Texts measured and judged together: many more than pages are read together, because a text is a small part of its page
# and what a batch costs whatever its size is paid less often. Bounded by characters for memory.
TEXT_CHARS = 4 << 20
TEXT_ROWS = 1024


@dataclass(slots=True)
class Extraction:
    """One span of input on its way to texts: books, drops, and the facts the receipt keeps."""

    settings: Settings
    ledger: Ledger
    drops: Drops
    facts: dict[str, Any]
    care: Care = field(default_factory=Care)

    def run(self, shard: Mapping[str, Any], files: InputFiles) -> Iterator[pa.RecordBatch]:
        """Yield batches of schema `tamis.schema.EXTRACTED`, in record order."""
        pack: Sequence[Mapping[str, Any]] = shard.get("pack", [shard])
        if shard["kind"] == "warc":
            yield from self._pages(itertools.chain.from_iterable(self._records(each, files) for each in pack))
        elif shard["kind"] == KIND:
            with files.open(shard["uri"]) as stream:
                yield from self._pages(selection(stream, shard, self.settings.read, files))
        else:
            texts = itertools.chain.from_iterable(self._ready(each, files) for each in pack)
            # A row read with care is done with before the next one is noted.
            merge = len(pack) > 1 and not self.care.note
            for batch in merged(texts, rows=BATCH_ROWS, size=BATCH_BYTES) if merge else texts:
                yield from self._by_text(batch)

    def _records(self, source: Mapping[str, Any], files: InputFiles) -> Iterator[tuple[str, Record]]:
        with files.open(source["uri"]) as stream:
            most = self.settings.read.max_payload
            reader = Reader(stream, start=source["start"], end=source["end"], max_payload=most)
            for record in watched(reader, source["name"], self.facts):
                yield source["name"], record
            self.facts.update(first_offset=reader.first_offset, next_offset=reader.next_offset)

    def _ready(self, source: Mapping[str, Any], files: InputFiles) -> Iterator[pa.RecordBatch]:
        with files.open(source["uri"]) as stream:
            texts = Texts(stream, source, self.settings.read, self.ledger, self.drops, self.care)
            yield from texts
            if texts.ends_early is not None:
                note_end(source["name"], texts.ends_early, self.facts)

    def _pages(self, records: Iterable[tuple[str, Record]]) -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, Any]] = []
        chars = 0
        for held in Pages(records, self.ledger, self.drops, self.care):
            fresh = self._extract(self._by_url(held))
            rows += fresh
            chars += sum(len(row["text"]) for row in fresh)
            # A record read with care is done with before the next one is noted.
            if rows and (self.care.note or chars >= TEXT_CHARS or len(rows) >= TEXT_ROWS):
                yield self._measure(rows)
                rows, chars = [], 0
        if rows:
            yield self._measure(rows)

    def _by_url(self, pages: list[Page]) -> list[Page]:
        chain = self.settings.url
        if chain is None or not pages:
            return pages
        rows = [_row(page, len(page.payload)) | {"language": UNDETERMINED, "text": ""} for page in pages]
        batch = to_batch(rows).append_column("row", pa.array(range(len(rows)), pa.int64()))
        self.ledger.book_batch("url", "in", batch)
        sifted = chain(batch)
        self.ledger.book_batch("url", "kept", sifted.kept)
        self.ledger.book_batch("url", "dropped", sifted.dropped)
        self.drops.add("url", sifted.dropped)
        return [pages[row] for row in sifted.kept.column("row").to_pylist()]

    def _extract(self, pages: list[Page]) -> list[dict[str, Any]]:
        """Return what was extracted; books and lists the other pages."""
        rows: list[dict[str, Any]] = []
        rejected: list[dict[str, Any]] = []
        empty: list[tuple[dict[str, Any], Page]] = []
        for page, title, text, reason, detail in self._texts(pages):
            self.care.beat()
            size = len(page.payload)
            if reason:
                rejected.append(_row(page, size) | {"language": UNDETERMINED, "reason": reason, "detail": detail})
                if reason == EMPTY and page.html:
                    empty.append((rejected[-1], page))
                continue
            self.ledger.book("extract", UNDETERMINED, "in", Amount(1, size))
            row = {"id": page.id, "url": page.url, "date": page.date, "source_bytes": size}
            rows.append(row | {"title": title, "text": text, "fallback": f"fallback_{detail}" if detail else ""})
        self._name_languages(empty)
        for each in rejected:
            amount = Amount(1, each["bytes"])
            self.ledger.book("extract", each["language"], "in", amount)
            self.ledger.book("extract", each["language"], "dropped", amount, each["reason"])
        flush_rejected(self.drops, "extract", rejected)
        return rows

    def _name_languages(self, empty: Sequence[tuple[dict[str, Any], Page]]) -> None:
        """Book pages of which nothing was extracted under the language of all their visible text: an extractor that
        fails on one language would otherwise be the one fault that no alarm sees."""
        if not empty:
            return
        texts = [
            Plain().extract(decode(page.payload, header_charset=page.charset).text, None).text for _, page in empty
        ]
        found = languages.identified(models.identifier(self.settings.langid.model).identify(texts))
        for (row, _), language in zip(empty, found["language"].to_pylist(), strict=True):
            row["language"] = language

    def _texts(self, pages: list[Page]) -> Iterator[tuple[Page, str | None, str, str, str | None]]:
        """Yield (page, title, text, reason, detail) for each page. The reason is empty where there is text; the detail
        is then why the extractor asked for was passed over, if it was."""
        early = EarlyExit(self.settings, self.facts)
        left = early.reasons(pages)
        dear = [page for page in pages if page.html and page.id not in left]
        html = ((self._utf8(page), page.url) for page in dear)
        extracted = models.page_extractor(self.settings.extract).many(html) if dear else iter(())
        for page in pages:
            if page.id in left:
                yield page, None, "", left[page.id], None
                continue
            if not page.html:
                text = self._utf8(page).decode()
                yield page, None, text, "" if text.strip() else EMPTY, None
                continue
            result = next(extracted)
            if isinstance(result, Failure):
                yield page, None, "", result.reason.removeprefix("extract:"), result.detail
            else:
                early.check(page, result.text)
                passed_over = (result.fallback or "").removeprefix("extract:") or None
                yield page, result.title, result.text, "" if result.text.strip() else EMPTY, passed_over

    def _utf8(self, page: Page) -> bytes:
        data, rule = to_utf8(page.payload, header_charset=page.charset)
        count_charset(rule, self.facts)
        return data

    def _by_text(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        rows = batch.to_pylist()
        for row in rows:
            self.ledger.book("extract", UNDETERMINED, "in", Amount(1, row["source_bytes"]))
        if rows:
            yield self._measure(rows)

    def _measure(self, rows: list[dict[str, Any]]) -> pa.RecordBatch:
        """Book what extraction kept, then add sizes, tokens and language."""
        texts = as_text([row["text"] for row in rows])
        sizes = byte_lengths(texts)
        before, after = sum(row["source_bytes"] for row in rows), int(sizes.sum())
        kept: defaultdict[str, list[int]] = defaultdict(list)
        for row, size in zip(rows, sizes.tolist(), strict=True):
            kept[row.get("fallback", "")].append(size)
        for fallback, found in kept.items():
            self.ledger.book("extract", UNDETERMINED, "kept", Amount(len(found), sum(found)), fallback)
        self.ledger.book("extract", UNDETERMINED, "dropped", Amount(0, before - after), "markup")
        batch = self._batch(rows, texts, sizes)
        total = Amount(len(rows), after, pc.sum(batch["chars"]).as_py(), pc.sum(batch["tokens"]).as_py())
        for outcome in ("in", "kept"):
            self.ledger.book("langid", UNDETERMINED, outcome, total)
        return batch

    def _batch(self, rows: list[dict[str, Any]], texts: pa.LargeStringArray, sizes: Any) -> pa.RecordBatch:
        columns = {
            "id": [row["id"] for row in rows],
            "url": [row.get("url") for row in rows],
            "date": [row.get("date") for row in rows],
            "source_bytes": [row["source_bytes"] for row in rows],
            "title": as_text([row.get("title") for row in rows]),
            "text": texts,
            "bytes": sizes,
            "chars": pc.utf8_length(texts),
            "tokens": models.encoder(self.settings.tokenize.tokenizer).count(texts),
            **languages.identified(models.identifier(self.settings.langid.model).identify(texts)),
        }
        arrays = [_array(columns[field.name], field.type) for field in EXTRACTED]
        return pa.RecordBatch.from_arrays(arrays, schema=EXTRACTED)


def _row(page: Page, size: int) -> dict[str, Any]:
    return {"id": page.id, "url": page.url, "bytes": size, "chars": 0, "tokens": 0}


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.Array):
        return values if values.type == kind else values.cast(kind)
    return as_text(values) if kind == TEXT else pa.array(values, kind)
