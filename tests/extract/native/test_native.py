"""The extractor as a whole: what it keeps and how it reads, what pages state, and that no page can stop it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import ModelError
from tamis.extract import load
from tamis.extract.native.blocks import scan_page
from tamis.extract.native.corpus import Lesson, read_lessons
from tamis.extract.native.cut import keep_blocks
from tamis.extract.native.describe import describe_page, feature_matrix
from tamis.extract.native.evaluate import score, split_tokens
from tamis.extract.native.extractor import Native, extract_bytes
from tamis.extract.native.features import FEATURES
from tamis.extract.native.head import read_statements
from tamis.extract.native.kept import join_chosen, keep_text
from tamis.extract.native.model import MODEL, load_model
from tamis.extract.native.room import kept_room
from tamis.extract.native.smooth import SECOND_FEATURES, smooth
from tamis.extract.native.trees import to_chances

MINIWEB = Path(__file__).resolve().parents[3] / "examples/miniweb/pages"
PARAGRAPH = "<p>The one paragraph of this page, which is long enough to be taken for what it is: its text.</p>"


def read(page: str, *, markdown: bool = False) -> str:
    scanned = scan_page(page.encode())
    return join_chosen(scanned, np.ones(len(scanned.blocks), np.uint8), markdown)


def step_by_step(raw: bytes, recall: float, markdown: bool, stages: int) -> tuple[str, float]:
    """What the one kernel does, from the parts that training uses."""
    page, model = scan_page(raw), load_model()
    if not len(page.blocks):
        return "", 0.0
    described = describe_page(page)
    matrix = feature_matrix(described, model.tokens, SECOND_FEATURES)
    chances = np.empty(len(matrix), np.float32)
    to_chances(model.stages[0].log_odds(matrix), chances)
    if stages > 1:
        smooth(page.elements, page.blocks, described.shares, described.units, chances, matrix, FEATURES)
        to_chances(model.stages[1].log_odds(matrix), chances)
    chosen, score = keep_blocks(chances, described.units, recall, described.article)
    return join_chosen(page, chosen, markdown), score


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize(("recall", "markdown"), [(0.4, False), (1.0, True), (2.0, False)])
def test_one_kernel_does_what_its_parts_do(recall: float, markdown: bool, stages: int) -> None:
    model = replace(load_model(), stages=load_model().stages[:stages])
    pages = [path.read_bytes() for path in sorted(MINIWEB.rglob("*.html"))[::5]]
    for raw in (b"", b"<p>", b"no tags at all", b'<meta property="og:type" content="article"><p>x<p>y', *pages):
        kept = keep_text(scan_page(raw, kept_room()), model, recall, markdown)
        assert (kept.text, kept.score) == step_by_step(raw, recall, markdown, stages)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<h1>T</h1><p>a<p>b", "T\n\na\n\nb"),
        ("<p>x<ul><li>a<li>b<ul><li>c</ul><li>d</ul>y", "x\n\n- a\n- b\n- c\n- d\n\ny"),
        ("<table><tr><th>k<th>v<tr><td>a<td>b</table>z", "k\tv\na\tb\n\nz"),
        ("<table><tr><td><p>one<p>two</table>", "one\n\ntwo"),
        ("<pre>if x:\n    y\n</pre>z", "if x:\n    y\n\nz"),
        ("a<br>b", "a\nb"),
        ("<dl><dt>k<dd>v</dl>", "k\n\nv"),
        ("<noscript><p>in it</p></noscript>", "in it"),
    ],
)
def test_text_reads_well(page: str, text: str) -> None:
    assert read(page) == text


def test_markdown() -> None:
    assert read("<h2>T</h2><pre>x\ny</pre><p>z", markdown=True) == "## T\n\n```\nx\ny\n```\n\nz"


def test_statements() -> None:
    page = scan_page(
        b"""<html lang="de-CH"><head><title>A &amp; <b> B</title><meta name="Author" content="Ann B.">
        <meta property="article:published_time" content="2024-03-09T10:00:00Z"><link rel=canonical href="http://x/y">
        <meta name=robots content="noindex, NoArchive"><a rel="license" href="/cc">l</a>
        <a href="https://creativecommons.org/licenses/by/4.0/">by</a><a href="https://creativecommons.example/l">no</a>"""
    )
    stated = read_statements(page)
    assert (stated.title, stated.author, stated.date) == ("A & B", "Ann B.", "2024-03-09")
    assert (stated.language, stated.canonical, stated.robots) == ("de-CH", "http://x/y", ("noindex", "noarchive"))
    assert stated.licences == ("/cc", "https://creativecommons.org/licenses/by/4.0/")


def test_dates_and_text_from_json_when_the_page_has_none() -> None:
    script = (
        '<script type="application/ld+json">{"@graph": [{"datePublished": "2020-01-02", "articleBody": "Only here."}]}'
    )
    found = extract_bytes(f"<title>t</title>{script}</script><div id=app></div>".encode())
    assert (found.text, found.statements.date) == ("Only here.", "2020-01-02")
    assert extract_bytes(f"{script}</script>{PARAGRAPH * 3}".encode()).text.startswith("The one paragraph")


def test_interface() -> None:
    native = load("native")
    assert (native.name, native.isolated) == ("native", False)
    found = native.extract(f"<html lang=en><title>t</title><nav><a>no</a></nav><article>{PARAGRAPH * 4}", None)
    assert (found.title, found.language, found.extractor) == ("t", "en", "native")
    assert found.text.count("The one paragraph") == 4
    assert 0 < found.confidence <= 1
    assert found == native.extract(f"<html lang=en><title>t</title><nav><a>no</a></nav><article>{PARAGRAPH * 4}", None)


def test_the_knob_keeps_more_or_less() -> None:
    page = "".join(
        f"<article class='comment'>{PARAGRAPH}</article><aside><p>Teaser number {n}.</p></aside>" for n in range(9)
    )
    sizes = [len(Native(recall=recall).extract(page, None).text) for recall in (0.2, 1.0, 5.0)]
    assert sizes == sorted(sizes)


def test_nothing_gives_nothing() -> None:
    for page in ("", " ", "<html><body></body></html>", "<script>x</script>", "\x00"):
        found = Native().extract(page, None)
        assert (found.text, found.confidence) == ("", 0.0)


@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(st.sampled_from(["<p>", "<td>", "</div>", "<li>", "text. ", "<a>", "&#", "中文。"]), max_size=80).map(
            "".join
        ),
    )
)
@settings(deadline=None, max_examples=150)
def test_no_page_raises(page: str) -> None:
    Native().extract(page, None).text.encode()


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=100)
def test_no_bytes_raise(raw: bytes) -> None:
    extract_bytes(raw).text.encode()


@pytest.mark.parametrize("wrapped", ["<div>" * 20_000 + PARAGRAPH + "</div>" * 20_000, "<div>" * 200_000 + PARAGRAPH])
def test_deep_pages_keep_their_paragraph(wrapped: str) -> None:
    assert "The one paragraph" in extract_bytes(wrapped.encode()).text


def test_time_is_linear_in_size() -> None:
    unit = f"<div class='c'>{PARAGRAPH}<ul><li><a href=/x>link</a><li>two</ul></div><script>var x = 1;</script>\n"
    extract_bytes(unit.encode())
    times = []
    for copies in (2_000, 20_000):
        page = (unit * copies).encode()
        begun = time.process_time()
        extract_bytes(page)
        times.append((time.process_time() - begun) / len(page))
    assert times[1] < 3 * times[0]
    assert times[1] * 10e6 < 3.0  # s for 10 MB, on a busy machine


@pytest.mark.parametrize(
    ("begin", "unit"),
    [
        ("", "<p>x"), ("", "&"), ("", "<"), ("", "<br>"), ("", "<a>x"), ("", "<tr><td colspan=9007199254740991>x"),
        ("<x>" * 510, "</y>"), ("<ul>" + "<div>" * 508, "<li>"), ("<table>" + "<x>" * 508, "<td>"),
    ],
)  # fmt: skip
def test_no_page_costs_more_than_its_bytes(begin: str, unit: str) -> None:
    page = (begin + unit * (1_000_000 // len(unit))).encode()
    extract_bytes(page[:1000])
    begun = time.process_time()
    extract_bytes(page)
    assert (time.process_time() - begun) / len(page) * 10e6 < 3.0  # s for 10 MB, on a busy machine; 0.5 measured


def test_the_model_is_the_one_its_card_names(tmp_path: Path) -> None:
    card = json.loads(MODEL.with_suffix(".json").read_text("utf-8"))
    assert load_model().checksum == card["sha256"]
    damaged = tmp_path / "model.npz"
    damaged.write_bytes(MODEL.read_bytes()[:-1] + b"x")
    damaged.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="SHA-256"):
        load_model(damaged)
    with pytest.raises(ModelError, match="Cannot read"):
        load_model(tmp_path / "absent.npz")


def lessons() -> Iterator[Lesson]:
    return (
        lesson for lesson in read_lessons(MINIWEB) if lesson.language != "und" and not lesson.name.startswith("special")
    )


def test_every_language_of_the_mini_web_is_extracted() -> None:
    scores: dict[str, list[float]] = {}
    for lesson in lessons():
        found = split_tokens(extract_bytes(lesson.html).text)
        scores.setdefault(lesson.language, []).append(score(found, split_tokens(lesson.gold or "")).f1)
    assert len(scores) == 24
    assert min(sum(found) / len(found) for found in scores.values()) > 0.95
