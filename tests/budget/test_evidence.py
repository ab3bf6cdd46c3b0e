from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis.budget.compare import compare, movers
from tamis.budget.evidence import gather, hosts, per_file, sightings
from tamis.budget.ledger import Amount, Ledger
from tamis.budget.yields import domains, extrapolate, medium_step, yields

CODE = "fra_Latn"


@dataclass(frozen=True)
class Entry:
    path: str


@dataclass(frozen=True)
class Unit:
    shard: str
    ledger: list[list[Any]] = field(default_factory=list)
    files: list[Entry] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)


class Made:
    """Five input files of French: each has two texts of its own, and one that all five have."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.receipts: list[Unit] = []
        for number in range(5):
            self._unit(number)

    def _unit(self, number: int) -> None:
        shard = f"{number:05d}-000"
        shared = number == 0
        kept = [
            {"id": f"{number}:{row}", "url": f"https://www.site{row}.example/{number}", "language": CODE, "tokens": 100,
             "bytes": 500, "text": "bonjour " * 90, "bucket": "all", "cluster_size": 1, "word_count": 90}
            for row in range(2)
        ]  # fmt: skip
        if shared:
            kept.append({**kept[0], "id": "0:9", "cluster_size": 5, "tokens": 50})
        dropped = [] if shared else [
            {"id": f"{number}:9", "url": None, "language": CODE, "step": "dedup", "reason": "near_duplicate",
             "value": None, "threshold": None, "tokens": 50, "sample": "bonjour", "kept_id": "0:9"}
        ]  # fmt: skip
        self._write(f"documents/{shard}.parquet", kept)
        files = [Entry(f"documents/{shard}.parquet")]
        if dropped:
            self._write(f"dropped/{shard}-dedup.parquet", dropped)
            files.append(Entry(f"dropped/{shard}-dedup.parquet"))
        book = Ledger(["read", "language", "quality", "dedup", "tokenize"])
        book.book("read", "und", "in", Amount(3))
        book.book("read", "und", "kept", Amount(3))
        for step in ("language", "quality"):
            for outcome in ("in", "kept"):
                book.book(step, CODE, outcome, Amount(3, 1000, 900, 250))
        left = Amount(3, 1000, 900, 250) if shared else Amount(2, 1000, 900, 200)
        book.book("dedup", CODE, "in", Amount(3, 1000, 900, 250))
        book.book("dedup", CODE, "kept", left)
        if not shared:
            book.book("dedup", CODE, "dropped", Amount(1, 0, 0, 50), "near_duplicate")
        for outcome in ("in", "kept"):
            book.book("tokenize", CODE, outcome, left)
        self.receipts.append(Unit(shard, [list(row) for row in book.rows()], files))

    def _write(self, path: str, rows: list[dict[str, Any]]) -> None:
        sink = BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), sink)
        self.data[path] = sink.getvalue()

    def open(self, path: str) -> pa.NativeFile:
        return pa.BufferReader(self.data[path])

    def ledger(self) -> Ledger:
        books = Ledger(["read", "language", "quality", "dedup", "tokenize"])
        for receipt in self.receipts:
            books.merge(receipt.ledger)
        books.check()
        return books


def test_yield_by_quality_with_words_and_domains() -> None:
    made = Made()
    ledger = made.ledger()
    assert medium_step(ledger) == "quality"
    (found,) = yields(ledger, gather(made.receipts, made.open))
    assert (found.medium.tokens, found.high.tokens, found.words) == (1250, 1050, 990)
    assert found.domains.top[0] == ("site0.example", 550)
    assert found.domains.count == 2
    assert found.domains.effective == pytest.approx(1 / ((550 / 1050) ** 2 + (500 / 1050) ** 2))
    assert found.domains.flags == ("one site has most of it",)


def test_samples_are_of_kept_and_dropped_documents() -> None:
    made = Made()
    samples = gather(made.receipts, made.open).samples
    assert [each.step for each in samples].count("dedup") == 4
    assert [each.step for each in samples].count("kept") == 10
    assert {each.kept_id for each in samples if each.step == "dedup"} == {"0:9"}


def test_tokens_by_input_file() -> None:
    made = Made()
    found = per_file(made.receipts, "dedup", "read", [CODE])
    assert found.column(CODE).tolist() == [250, 200, 200, 200, 200]


def test_duplicates_are_seen_where_they_lie() -> None:
    made = Made()
    found = sightings(made.receipts, made.open, "read")[CODE]
    assert found.files == 5
    assert found.texts == 11
    assert found.curve()[-1] == (5, 1050)
    assert found.curve()[0] == (1, pytest.approx(250))


def test_the_crawl_is_estimated_for_every_language() -> None:
    made = Made()
    ledger = made.ledger()
    found, outlook = extrapolate(
        yields(ledger, gather(made.receipts, made.open)), ledger, made.receipts, made.open, crawl=500, year=5000
    )
    assert outlook.sampled == 5
    assert found[0].crawl_medium is not None
    assert found[0].crawl_medium.value == pytest.approx(250 * 500)
    assert found[0].crawl_high is not None
    assert 1050 < found[0].crawl_high.value < found[0].crawl_medium.value
    assert found[0].to_json()["year_medium"][0] == 250 * 5000


def test_hosts() -> None:
    urls = pa.array(["https://WWW.Example.org:8080/a", "http://u:p@b.example", None, "nonsense", "http://c.example?q"])
    assert hosts(urls).to_pylist() == ["example.org", "b.example", "", "", "c.example"]


def test_concentration_is_flagged() -> None:
    assert domains({"bible.example": 90, "b": 5, "c": 5}).flags == ("one site has most of it",)
    assert domains(dict.fromkeys("abcd", 25)).flags == ("few sites",)
    assert domains({str(n): 1 for n in range(50)}).flags == ()
    assert domains({}).count == 0


def test_a_comparison_names_what_changed_and_who_moved() -> None:
    before, after = Made(), Made()
    unit = after.receipts[1]
    path = f"documents/{unit.shard}.parquet"
    rows = pq.read_table(before.open(path)).to_pylist()
    after._write(path, [*rows, {**rows[0], "id": "1:9", "tokens": 50}])
    books = before.ledger()
    other = Ledger(books.steps)
    other.merge(books.rows())
    other.book("dedup", CODE, "kept", Amount(1, 0, 0, 50))
    other.book("dedup", CODE, "dropped", Amount(-1, 0, 0, -50), "near_duplicate")
    for outcome in ("in", "kept"):
        other.book("tokenize", CODE, outcome, Amount(1, 0, 0, 50))
    other.check()
    moved = movers((before.receipts, before.open), (after.receipts, after.open))
    found = compare(books, other, moved)
    assert [(each.key, each.tokens) for each in found.languages] == [((CODE,), 50)]
    assert [(each.key, each.tokens) for each in found.rules] == [(("dedup", "near_duplicate"), -50)]
    assert [(each.id, each.now, each.reason) for each in found.moved] == [("1:9", "kept", "near_duplicate")]
    assert compare(books, books).languages == ()
