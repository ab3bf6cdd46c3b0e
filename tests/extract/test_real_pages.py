"""The sandbox changes nothing: bare extractors and sandboxed ones agree on real pages, with bombs among them or not."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tamis.extract import Extracted, Failure, Limits, Sandbox, extract_html, load
from tamis.extract.sandbox import Page
from tamis.text.encoding import decode

SHARED = Path(__file__).resolve().parents[2] / "../shared/data/extraction"
PARAGRAPH = "<p>The one paragraph that must survive whatever else the page holds.</p>"
BOMBS = {
    "table": PARAGRAPH + "<table>" + "<tr><td>cell one</td><td>cell two</td></tr>" * 50_000 + "</table>",
    "links": PARAGRAPH + "<ul>" + '<li><a href="/page/1234567">some link text here</a></li>' * 65_000 + "</ul>",
    "breaks": PARAGRAPH + "<p>" + "text<br>" * 160_000,
    "colspan": PARAGRAPH + "<table><tr><td colspan=9007199254740991>x</td></tr></table>",
    "nested": "<div>" * 20_000 + PARAGRAPH + "</div>" * 20_000,
    "nested and unclosed": "<div>" * 1_000_000 + PARAGRAPH,
    "svg template": "<svg><template>x</template></svg>" * 1000 + PARAGRAPH,
    "image address": PARAGRAPH + "<img src='" + "a/" * 500_000 + "'>",
}


def real_pages(count: int) -> list[Page]:
    if not SHARED.is_dir():
        pytest.skip(f"no pages in {SHARED}")
    files = (
        sorted((SHARED / "wceb/html").iterdir())[: count // 2]
        + sorted((SHARED / "daniel/html").iterdir())[: count // 2]
    )
    return [(decode(gzip.decompress(file.read_bytes())).text, f"http://x/{file.name}") for file in files]


@pytest.mark.parametrize("name", ["trafilatura", "resiliparse"])
def test_bare_and_sandboxed_agree(name: str) -> None:
    pages = real_pages(60 if name == "trafilatura" else 160)
    bare = load(name)
    with Sandbox(name) as sandbox:
        for page, found in zip(pages, sandbox.extract_many(pages), strict=True):
            assert found == bare.extract(*page)


@pytest.mark.parametrize("name", ["trafilatura", "resiliparse"])
def test_bombs_change_no_other_page(name: str) -> None:
    pages = real_pages(16)
    mixed: list[Page] = list(pages)
    for number, bomb in enumerate(BOMBS.values()):
        mixed.insert(2 * number + 1, (bomb, None))
    bombs = set(BOMBS.values())
    with Sandbox(name, limits=Limits(deadline_s=0.5, deadline_s_per_mb=0.0), fallback="plain") as sandbox:
        alone = list(sandbox.extract_many(pages))
        together = list(zip(mixed, sandbox.extract_many(mixed), strict=True))
    assert [found for page, found in together if page[0] not in bombs] == alone
    for page, found in together:
        if page[0] in bombs:
            assert isinstance(found, Extracted)
            assert "The one paragraph" in found.text or found.fallback is None


@pytest.mark.parametrize("bomb", BOMBS)
def test_plain_keeps_the_paragraph_of_every_bomb(bomb: str) -> None:
    assert "The one paragraph that must survive" in load("plain").extract(BOMBS[bomb], None).text


def test_page_beyond_the_limit() -> None:
    with Sandbox("plain") as sandbox:
        found = sandbox.extract("<p>" + "x" * 20_000_000)
    assert isinstance(found, Failure)
    assert found.reason == "extract:too_large"


def test_extract_html() -> None:
    page = "<html lang=fr><title>Le café</title><body><article>" + "<p>Une phrase assez longue pour compter.</p>" * 5
    for charset in ("utf-8", "latin-1"):
        found = extract_html(
            page.replace("<title>", f"<meta charset={charset}><title>").encode(charset), url="http://x"
        )
        assert (found.title, found.language, found.extractor) == ("Le café", "fr", "native")
        assert found.text.startswith("Une phrase assez longue")
    assert extract_html(page.encode(), extractor="plain").text.count("Une phrase") == 5
    assert extract_html(b"").text == ""


def test_extract_html_survives_the_page() -> None:
    hostile = f"{Path(__file__).with_name('hostile.py')}:Hostile"
    found = extract_html(b"<title>t</title><p>a !ABORT! b", extractor=hostile)
    assert (found.text, found.title, found.extractor, found.fallback) == (
        "a !ABORT! b",
        "t",
        "plain",
        "extract:crash",
    )
    assert extract_html(BOMBS["nested"].encode(), extractor="trafilatura").fallback == "extract:too_deep"
    assert "must survive" in extract_html(BOMBS["nested"].encode()).text
