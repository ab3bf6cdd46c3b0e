"""Snippets whose reading by browsers is known, and bombs that must cost no more than other pages."""

from __future__ import annotations

import html as standard
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.extract.native.blocks import scan_page, to_arrow


def texts(page: str | bytes) -> list[str]:
    found: list[str] = to_arrow(scan_page(page if isinstance(page, bytes) else page.encode()))["text"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<p>one<p>two</p>three", ["one", "two", "three"]),
        ("<ul><li>a<li>b<ul><li>c</ul><li>d</ul>", ["a", "b", "c", "d"]),
        ("<table><tr><td>1<td>2<tr><th>3</table>", ["1", "2", "3"]),
        ("<div>a <b>bold</b>\n c</div>", ["a bold c"]),
        ("<p>a<br>b<br><br>c", ["a\nb", "c"]),
        ("<pre>x\n  y\t z </pre>", ["x\n  y\t z"]),
        ("a<!-- <p>no</p> -->b", ["ab"]),
        ("a<!-->b<!--->c", ["abc"]),
        ("a<![CDATA[no]]>b<?no?>c</ no>d</>e", ["abcde"]),
        ("<script>if (a </b) '<p>no'</script>yes", ["yes"]),
        ("<script><!-- <script> </script> no --></script>yes", ["yes"]),
        ("<style>p{}</style><template><p>no</p></template><svg><title>no</title></svg>yes", ["yes"]),
        ("<noscript><p>read</p></noscript>", ["read"]),
        ("<select><option>no</select><textarea><p>no</textarea>yes", ["yes"]),
        ("<svg><path/><p>out of it", ["out of it"]),
        ("<title>a <b> c</title>x", ["x"]),
        ("1 < 2 && 3 > 2", ["1 < 2 && 3 > 2"]),
        ("<a href='x>y'>link</a> rest", ["link rest"]),
        ("<P CLASS=x>caps</P>", ["caps"]),
        ("<div", []),
        ("<p>a&nbsp;&nbsp;b\u00a0c&shy;d\u00ade", ["a b cde"]),
        ("x<p", ["x"]),
    ],
)
def test_snippets(page: str, expected: list[str]) -> None:
    assert texts(page) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "&amp;",
        "&lt",
        "&copy",
        "&notit;",
        "&notin;",
        "&NotEqualTilde;",
        "&#8364;",
        "&#x20AC;",
        "&#128;",
        "&#150;",
        "&#0;",
        "&#xD800;",
        "&#x110000;",
        "&#99999999999;",
        "&unknown;",
        "&;",
        "&#",
        "&#x",
        "&CounterClockwiseContourIntegral;",
        "&ampx",
        "&frac34",
        "&Auml;",
        "&auml",
        "&AMP",
    ],
)
def test_references_read_as_the_standard_library_reads_them(reference: str) -> None:
    assert texts(f"<p>a{reference}.") == [f"a{standard.unescape(reference)}."]


@given(st.text(st.sampled_from("&;#xX019aAmplgtnot "), max_size=40))
@settings(deadline=None, max_examples=200)
def test_references_twin(text: str) -> None:
    expected = " ".join(standard.unescape(text).replace("\xa0", " ").translate(_DROPPED).split(" ")).strip()
    assert " ".join(texts(text)).split() == expected.split()


_DROPPED = dict.fromkeys([*range(9), 11, *range(14, 32), 127, 0xAD])

_PIECES = st.sampled_from(
    [
        "<p>",
        "</p>",
        "<div>",
        "</div>",
        "<b>",
        "</b>",
        "<a>",
        "</a>",
        "<li>",
        "<ul>",
        "</ul>",
        "<table>",
        "</table>",
        "<tr>",
        "<td>",
        "</td>",
        "<svg>",
        "</svg>",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "<br>",
        "<hr/>",
        "<select>",
        "</select>",
        "<template>",
        "</template>",
        "<pre>",
        "</pre>",
        "&",
        "&amp;",
        "&#x",
        "<",
        ">",
        "=",
        '"',
        "'",
        "/",
        "text",
        "<title>",
        "<x-y",
        "class=a-b",
        "id=c>",
        "<h1>",
        "</h1>",
        "<![CDATA[",
        "]]>",
        "<?",
        "\x00",
        "\n",
    ]
)


@given(st.lists(st.one_of(_PIECES, st.text(max_size=5)), max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_markup_scans(pieces: list[str]) -> None:
    page = scan_page("".join(pieces).encode("utf-8", "surrogatepass"))
    assert (page.blocks[:, 0] < page.blocks[:, 1]).all()
    assert (page.blocks[1:, 0] >= page.blocks[:-1, 1]).all()
    assert (page.elements[1:, 0] < range(1, len(page.elements))).all()


@given(st.binary(max_size=300))
@settings(deadline=None, max_examples=200)
def test_any_bytes_scan(raw: bytes) -> None:
    to_arrow(scan_page(raw))


def test_links_and_depth() -> None:
    rows = to_arrow(scan_page(b"<div><p>go <a href=x>there</a> now</div><a><div>all</a> not")).to_pylist()
    assert [(row["tag"], row["link_bytes"]) for row in rows] == [("p", 6), ("div", 3)]
    assert rows[1]["text"] == "all not"


PARAGRAPH = "<p>The one paragraph that must survive.</p>"


@pytest.mark.parametrize(
    "bomb",
    [
        "<div>" * 20_000 + PARAGRAPH + "</div>" * 20_000,
        "<b>" * 500_000 + PARAGRAPH,
        "<p>" * 500_000 + PARAGRAPH,
        "</div>" * 500_000 + PARAGRAPH,
        "<div>" * 510 + "</section>" * 300_000 + PARAGRAPH,
        "<table><tr><td>" * 100_000 + PARAGRAPH,
        "<p>x" * 500_000 + PARAGRAPH,
        "<br>" * 500_000 + PARAGRAPH,
        "&" * 2_000_000 + PARAGRAPH,
        "&CounterClockwiseContourIntegra" * 60_000 + PARAGRAPH,
        "<" * 2_000_000 + PARAGRAPH,
        "<a " + "x=y " * 500_000 + ">" + PARAGRAPH,
        "<p class='" + "aB-1 " * 400_000 + "'>" + PARAGRAPH,
        "<select>" * 300_000 + PARAGRAPH,
        "<svg>" * 300_000 + PARAGRAPH,
        PARAGRAPH + "<!--" * 500_000,
        PARAGRAPH + "<script>" * 300_000,
    ],
    ids=lambda bomb: bomb[:24],
)
def test_bombs_keep_the_paragraph_in_linear_time(bomb: str) -> None:
    raw = bomb.encode()
    begun = time.process_time()
    page = scan_page(raw)
    assert time.process_time() - begun < 0.25 + len(raw) / 10e6
    assert b"The one paragraph that must survive." in page.text.tobytes()
    assert len(page.blocks) <= 16_386 + len(raw) // 16_384
