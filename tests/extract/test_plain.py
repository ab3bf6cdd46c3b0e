from __future__ import annotations

import html as stdlib_html
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.extract.plain import Plain, visible_text


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("", ""),
        ("just text", "just text"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("<b>bo</b>ld <i>and</i>\nmore", "bold and more"),
        ("<script>var a = '<p>no';</script>yes", "yes"),
        ("<SCRIPT type=x>no</sCript >yes", "yes"),
        ("<style>no</style><template><p>no</template><svg><text>no</text></svg>yes", "yes"),
        ("<scripty>yes</scripty>", "yes"),
        ("<svg><path><p>an unclosed svg", "an unclosed svg"),
        ("<noscript>yes</noscript>", "yes"),
        ("<title>no</title>yes", "yes"),
        ("a<!-- no -- > no --> b<!----> c<!--> d<!-- no --!> e<!-- no", "a b c d e"),
        ("<![CDATA[no]]><?php no ?><!doctype html>yes", "yes"),
        ('<a title="a > b">yes</a>', "yes"),
        ("<a title='a > b' x=\"'>\">yes</a>", "yes"),
        ('<a href="/x"">yes</a>', "yes"),
        ("1 < 2 and 3 > 2 <3", "1 < 2 and 3 > 2 <3"),
        ("&lt;p&gt; &amp;amp; &eacute;&#233;&#x1F600; &nosuch;", "<p> &amp; éé😀 &nosuch;"),
        ("&#0;&#" + "9" * 6000 + ";x", "\ufffd\ufffdx"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a\tb\n\nc"),
        ("<pre>a\n  b</pre>c\nd", "a\nb\nc d"),
        ("<ul><li>a<li>b</ul>", "a\nb"),
        ("\0a\r\n<p>\x0b</p>", "a"),
        ("<p>日本語<b>の</b>文", "日本語の文"),
        ("cut <a href='", "cut"),
        ("cut <p", "cut"),
    ],
)
def test_visible_text(page: str, expected: str) -> None:
    assert visible_text(page) == expected


def test_extracted_fields() -> None:
    found = Plain().extract("<html lang=el><head><title>τ</title></head><body>σώμα", "http://x")
    assert (found.text, found.title, found.language, found.confidence) == ("σώμα", "τ", "el", 0.0)


def test_deeply_nested_paragraph_survives() -> None:
    page = "<div>" * 20_000 + "<p>The paragraph.</p>" + "</div>" * 20_000
    assert visible_text(page) == "The paragraph."


FLOODS = [
    "<br>", "<div>", "<!--", "<!---", "<script>", "<a ", '<a b="', "<p a='", "<a=    ", "&amp;", "&#1", " ", "= ", "<",
    "</", "<pre>\n", "<svg>", "<title>", "<html lang ", "\n", "\r", "<td>", "--", "<style></", "&",
]  # fmt: skip


@pytest.mark.parametrize("flood", FLOODS)
def test_time_is_linear(flood: str) -> None:
    def seconds(size: int) -> float:
        page = flood * (size // len(flood))
        started = time.process_time()
        Plain().extract(page, None)
        return time.process_time() - started

    # A quadratic step would make eight times the page take 64 times as long.
    assert seconds(800_000) < 24 * min(seconds(100_000) for _ in range(2)) + 0.1


class _Twin(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []

    def handle_data(self, data: str) -> None:
        self.text.append(data)


words = st.text(st.characters(categories=("L", "N", "P", "Zs"), exclude_characters="<>&"), max_size=8)
pieces = st.one_of(
    words,
    words.map(lambda word: f"<p class='{stdlib_html.escape(word)}'>"),
    words.map(stdlib_html.escape),
    st.sampled_from(
        ["<b>", "</b>", "<br>", "<p>", "</p>", "<img src=x alt='>'>", "<!-- c -->", "&amp;", "&eacute;", "\n"]
    ),
)


@given(st.lists(pieces, max_size=30))
@settings(deadline=None, max_examples=200)
def test_same_characters_as_the_standard_parser(parts: list[str]) -> None:
    page = "".join(parts)
    twin = _Twin()
    twin.feed(page)
    twin.close()
    assert "".join(visible_text(page).split()) == "".join("".join(twin.text).split())


@given(st.text(st.sampled_from("<>/!-= \"'&;#xscriptvgemlab9\n\r\0\ud800é"), max_size=200))
@settings(deadline=None, max_examples=300)
def test_any_input_gives_text_in_normal_form(page: str) -> None:
    found = visible_text(page)
    found.encode()
    assert "\0" not in found and "\r" not in found and "\n\n\n" not in found
    assert all(line == line.rstrip() for line in found.split("\n"))
