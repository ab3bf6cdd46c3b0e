from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tamis.budget import page
from tamis.budget.page import View, render

Make = Callable[..., View]


class Parsed(HTMLParser):
    """Tags by name, and the cells of each table by its id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag == "script":
            self.scripts.append(dict(attrs))
        if tag == "table":
            self._rows = self.tables.setdefault(str(dict(attrs)["id"]), [])
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th") and self._rows:
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._rows = []

    def handle_data(self, data: str) -> None:
        if self._rows and self._rows[-1]:
            self._rows[-1][-1] += data.strip()


def number(text: str) -> int:
    return int(text.replace(",", ""))


def block(html: str, name: str) -> Any:
    found = re.search(f'<script type="application/json" id="{name}">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_every_figure_equals_the_ledgers(make_view: Make) -> None:
    view = make_view(20, 50)
    tables = Parsed(render(view)).tables
    books = view.ledger
    for row in tables["languages"][1:]:
        assert number(row[1]) == books.total("tokenize", "kept", language=row[0]).documents
        assert number(row[2]) == books.total("quality", "kept", language=row[0]).tokens
        assert number(row[3]) == books.total("tokenize", "kept", language=row[0]).tokens
    for step, taken, kept, lost, tokens, lost_tokens in tables["steps"][1:]:
        amount = books.total(step, "in"), books.total(step, "kept"), books.total(step, "dropped")
        assert [number(taken), number(kept), number(lost)] == [each.documents for each in amount]
        assert [number(tokens), number(lost_tokens)] == [each.tokens for each in amount[1:]]
    for step, reason, *numbers in tables["drops-table"][1:]:
        lost_here = books.total(step, "dropped", reason=reason)
        assert [number(each) for each in numbers] == [lost_here.documents, lost_here.tokens, lost_here.bytes]
    head, *rows = tables["funnel-table"]
    for row in rows:
        for step, cell in zip(head[2:], row[2:], strict=True):
            assert number(cell) == books.total(step, "kept", language=row[0]).tokens
    assert len(tables["languages"]) == len(rows) + 1 == 21


def test_the_charts_draw_the_ledgers_figures(make_view: Make) -> None:
    view = make_view(6, 5)
    html = render(view)
    found = {(row["language"], row["part"]): row["tokens"] for row in block(html, "yield-chart")["datasets"]["rows"]}
    for each in view.yields:
        assert found[each.language, "high"] == view.ledger.total("tokenize", "kept", language=each.language).tokens
        assert sum(found[each.language, part] for part in ("high", "medium only", "dropped")) == (
            view.ledger.total("language", "in", language=each.language).tokens
        )
    for row in block(html, "funnel-chart")["datasets"]["rows"]:
        assert row["amount"] == view.ledger.total(row["step"], row["outcome"]).documents


def test_hostile_text_stays_text(make_view: Make, evil: str) -> None:
    html = render(make_view(8, 40, hostile=True))
    parsed = Parsed(html)
    assert evil not in html
    assert "img" not in parsed.tags
    assert not parsed.handlers
    kinds = [each.get("type") for each in parsed.scripts]
    assert kinds.count(None) == 2
    assert set(kinds) == {None, "application/json", "application/octet-stream"}
    # In addresses, what turns the direction of text is spelled out.
    assert "\u202e" not in "".join(cell for row in parsed.tables["domains-table"] for cell in row)


def test_the_policy_admits_the_pages_own_scripts_alone(make_view: Make) -> None:
    html = render(make_view(3, 3))
    policy = re.search('Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    own = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(sha256(each.encode()).digest()).decode()}'" for each in own]
    assert f"script-src {' '.join(hashes)};" in policy[1]
    assert policy[1].startswith("default-src 'none'")
    assert not re.search(r"<(link|iframe|object|embed|base|form)\b| src=| href=\"[^#]", html.split("<script")[0])


def test_samples_are_packed_and_few_enough(make_view: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MAX_SAMPLES", 100)
    html = render(make_view(5, 400))
    packed = re.search('id="samples-data">(.*?)</script>', html)
    assert packed is not None
    rows = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    assert len(rows) == 100
    assert len({(row[2], row[4]) for row in rows}) == 30  # every language with every outcome
    assert "100 of 400 samples" in html


def test_the_same_run_gives_the_same_page(make_view: Make) -> None:
    assert render(make_view(5, 40)) == render(make_view(5, 40))


def test_two_hundred_languages_and_fifty_thousand_samples_take_less_than_20_mb(make_view: Make) -> None:
    assert len(render(make_view(200, 50_000)).encode()) < 20_000_000


def test_the_charts_library_is_the_one_named() -> None:
    charts = files("tamis.budget") / "charts"
    bundle = gzip.decompress((charts / "vega.js.gz").read_bytes())
    assert sha256(bundle).hexdigest() in (charts / "NOTICE").read_text("utf-8")
    assert b"</script" not in bundle.lower()


@pytest.mark.parametrize("name", ["ladder", "yield", "funnel", "domains", "duplicates", "growth", "drops"])
def test_every_chart_is_valid_vega_lite(name: str) -> None:
    altair = pytest.importorskip("altair", reason="altair holds the schema of Vega-Lite")
    spec = json.loads((files("tamis.budget") / f"charts/{name}.json").read_text("utf-8"))
    altair.Chart.from_dict(spec, validate=True) if "layer" not in spec else altair.LayerChart.from_dict(spec)


def test_an_empty_ledger_has_a_page(tmp_path: Path) -> None:
    from tamis.budget.ledger import Ledger

    assert "0 records in" in render(View(Ledger(), []))


def test_alarms_stand_out_and_stay_text(make_view: Make, evil: str) -> None:
    shown = render(replace(make_view(3, 9), alarms=(f"{evil} yields too little.",)))
    assert '<ul id="alarms" role="alert"><li>&lt;script&gt;' in shown
    assert 'role="alert"' not in render(make_view(3, 9))
