from __future__ import annotations

from html.parser import HTMLParser

from tamis.budget.ledger import Amount, Ledger
from tamis.budget.page import render
from tamis.budget.summary import summarise


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)


def test_hostile_names_stay_text() -> None:
    ledger = Ledger(["read", "language"])
    evil = "<script>alert(1)</script>"
    for outcome in ("in", "kept"):
        ledger.book("language", evil, outcome, Amount(1, 1, 1, 1))
    page = render(ledger, summarise(ledger), [(evil, "$summary & 'quotes'")])
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.names
    assert evil not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
