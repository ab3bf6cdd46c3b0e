"""The report page in headless Chromium. Needs Debian's `chromium` and the package `playwright`; skips without."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tamis.budget.page import View, render

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright, to drive the page in a browser")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="apt-get install chromium, to drive the page in a browser")

Make = Callable[..., View]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


class Visit:
    """A page opened from a file, with what it said and asked for."""

    def __init__(self, browser: Any, path: Path, view: View, *, dark: bool = False, width: int = 1200) -> None:
        path.write_text(render(view), "utf-8")
        scheme = "dark" if dark else "light"
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.session = self.page.context.new_cdp_session(self.page)
        self.session.send("Performance.enable")
        # Vega-Lite warns of what a height in steps does to its own defaults; errors are what matters.
        self.page.on("console", lambda message: self.said.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready=true]", timeout=60_000)

    def draw_all(self) -> int:
        """Scroll every chart into view; returns how many drew something."""
        drawn = 0
        for figure in self.page.query_selector_all("figure[data-chart]"):
            figure.scroll_into_view_if_needed()
            name = figure.get_attribute("id")
            self.page.wait_for_selector(f"#{name}[data-drawn=true]", timeout=60_000)
            drawn += figure.query_selector("svg path, svg line") is not None
        return drawn

    def column(self, table: str, index: int) -> list[str]:
        """Return a column's visible cells."""
        script = "([id, n]) => [...document.querySelectorAll(`#${id} tbody tr`)].filter(r => !r.hidden)"
        found: list[str] = self.page.evaluate(f"{script}.map(r => r.cells[n].textContent)", [table, index])
        return found


def test_charts_draw_quietly_and_nothing_leaves_the_page(browser: Any, tmp_path: Path, make_view: Make) -> None:
    visit = Visit(browser, tmp_path / "page.html", make_view(20, 100))
    assert visit.draw_all() == 6  # growth needs an estimate of the crawl
    assert visit.said == []
    assert visit.asked == [(tmp_path / "page.html").as_uri()]


def test_sorting_and_searching(browser: Any, tmp_path: Path, make_view: Make) -> None:
    visit = Visit(browser, tmp_path / "page.html", make_view(20, 100))
    visit.page.focus("#languages thead th:nth-child(1) button")
    visit.page.keyboard.press("Enter")
    names = visit.column("languages", 0)
    assert names == sorted(names)
    assert visit.page.get_attribute("#languages thead th:nth-child(1)", "aria-sort") == "ascending"
    visit.page.click("#languages thead th:nth-child(4) button")
    tokens = [int(each.replace(",", "")) for each in visit.column("languages", 3)]
    assert tokens == sorted(tokens, reverse=True)
    visit.page.fill("#search", names[3])
    assert visit.column("languages", 0) == [names[3]]
    assert visit.page.inner_text("#search-said") == "1 of 20 rows"
    visit.page.fill("#samples-text", "sample 42 ")
    assert visit.page.locator("#samples-list li").count() == 1
    visit.page.fill("#samples-text", "")
    visit.page.select_option("#samples-reason", "kept")
    assert visit.page.inner_text("#samples-said").endswith("of 16")
    visit.page.select_option("#funnel-language", names[3])
    chart = visit.page.locator("#funnel-figure svg", has_text=f"tokens of {names[3]}")
    chart.wait_for(state="attached", timeout=20_000)
    assert visit.said == []


def test_hostile_text_runs_nothing(browser: Any, tmp_path: Path, make_view: Make, evil: str) -> None:
    visit = Visit(browser, tmp_path / "page.html", make_view(8, 60, hostile=True))
    visit.draw_all()
    assert visit.page.title() == "Tamis report"
    assert visit.page.locator("img").count() == 0
    assert evil in visit.page.inner_text("#samples-list li:first-child .sample")
    assert visit.said == []
    assert len(visit.asked) == 1


def test_a_phone_in_the_dark(browser: Any, tmp_path: Path, make_view: Make) -> None:
    visit = Visit(browser, tmp_path / "page.html", make_view(20, 100), dark=True, width=390)
    visit.draw_all()
    wide = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    colour = visit.page.evaluate("getComputedStyle(document.body).color")
    assert colour != "rgb(0, 0, 0)"
    assert visit.said == []


def test_keyboard_and_screen_reader_find_their_way(browser: Any, tmp_path: Path, make_view: Make) -> None:
    visit = Visit(browser, tmp_path / "page.html", make_view(6, 30))
    unnamed = visit.page.evaluate(
        "[...document.querySelectorAll('input, select, button')].filter("
        "e => !e.textContent.trim() && !(e.labels && e.labels.length)).length"
    )
    assert unnamed == 0
    assert visit.page.locator("table caption").count() == visit.page.locator("table").count()
    assert visit.page.locator("[role=img]:not([aria-label])").count() == 0
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.tagName") == "A"


def test_two_hundred_languages_open_fast(browser: Any, tmp_path: Path, make_view: Make) -> None:
    visit = Visit(browser, tmp_path / "page.html", make_view(200, 50_000))
    found = visit.session.send("Performance.getMetrics")["metrics"]
    spent = sum(
        each["value"] for each in found if each["name"] in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
    )
    # What the page's own work takes, not the clock: other programs may hold the processor.
    assert 0 < spent < 3
    assert (tmp_path / "page.html").stat().st_size < 20_000_000
    assert len(visit.column("languages", 0)) == 200
    assert visit.said == []
