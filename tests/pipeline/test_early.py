"""Pages that spare the extractor asked for, or go to another one, in books that balance."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

import tamis
from tamis.pipeline import early
from tamis.pipeline.run import Report
from tamis.recipe import Recipe

ENGLISH = "The ferry to the island leaves twice a day, and in winter the harbour master decides whether it sails. "
FRENCH = "Le marché de la ville ouvre à sept heures, et les paysans des environs y vendent leurs fruits et fromages. "
PAGES = 12


@pytest.fixture(scope="module")
def warc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pages each: English, French, and such as hold next to nothing."""
    path = tmp_path_factory.mktemp("early") / "pages.warc.gz"
    with path.open("wb") as sink:
        writer = WARCWriter(sink, gzip=True)
        headers = [("Content-Type", "text/html; charset=utf-8")]
        for number in range(3 * PAGES):
            text = (ENGLISH * 6, FRENCH * 6, "x")[number % 3]
            html = f"<html><body><article><p>{number} {text}</p></article></body></html>{' ' * 64}".encode()
            status = StatusAndHeaders("200 OK", headers, protocol="HTTP/1.1")
            writer.write_record(
                writer.create_warc_record(
                    f"http://h.example/{number}", "response", payload=io.BytesIO(html), http_headers=status
                )
            )
    return path


def run(warc: Path, out: Path, langid: dict[str, Any] | None = None, **extract: Any) -> Report:
    return tamis.run(warc, out, recipe=Recipe("test", {"extract": extract, "langid": langid or {}}), executor="inline")


def test_unsure_pages_go_to_the_fallback_and_are_counted(warc: Path, tmp_path: Path) -> None:
    report = run(warc, tmp_path / "out", fallback="plain", unsure_below=2.0)
    ledger = report.ledger
    ledger.check()
    kept = {row[3]: row[4] for row in ledger.rows() if (row[0], row[2]) == ("extract", "kept")}
    assert sum(kept.values()) == ledger.total("extract", "in").documents - ledger.total("extract", "dropped").documents
    assert kept["fallback_unsure"] >= 2 * PAGES
    plain = run(warc, tmp_path / "plain")
    assert {row[3] for row in plain.ledger.rows() if (row[0], row[2]) == ("extract", "kept")} == {""}


def test_early_exit_agrees_with_the_slow_order(
    warc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(early, "_CHECKED_ONE_IN", 4)
    langid = {"keep": ["fra"]}
    slow = run(warc, tmp_path / "slow", langid)
    assert "Early exit" not in caplog.text
    fast = run(warc, tmp_path / "fast", langid, early_exit=True)
    assert fast.ledger.total("tokenize", "kept") == slow.ledger.total("tokenize", "kept")
    said = re.search(r"Early exit: (\d+) of (\d+) pages left; (\d+) of them .* (\d+) agreed", caplog.text)
    assert said is not None
    left, seen, checked, agreed = map(int, said.groups())
    assert (left, seen) == (2 * PAGES, 3 * PAGES)
    assert 0 < agreed == checked
    dropped = {row[3]: row[4] for row in fast.ledger.rows() if (row[0], row[2]) == ("extract", "dropped")}
    assert dropped[early.LANGUAGE] + dropped[early.SHORT] == left - checked
