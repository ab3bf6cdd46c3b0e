from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.extract import precheck

PAGE = b"<!DOCTYPE html><html><body>" + b"<p>text</p>" * 10
PROSE = b"Plain words and nothing else, line after line. " * 4


@pytest.mark.parametrize(
    ("mime", "payload", "reason"),
    [
        ("text/html", PAGE, None),
        ("text/html; charset=utf-8", PAGE, None),
        ("TEXT/HTML;charset=x", PAGE, None),
        ("application/xhtml+xml", b"<?xml version='1.0'?>" + PAGE, None),
        ("text/html", PROSE, None),  # a page without a single tag is still a page
        (None, PAGE, None),
        ("", b"\xef\xbb\xbf \n<!-- c -->" + PAGE, None),
        ("application/octet-stream", PAGE, None),
        ("image/png", PAGE, None),  # an error page under the address of an image
        ("application/json", PAGE, None),
        ("text/html", PAGE.decode().encode("utf-16"), None),
        (None, PAGE.decode().encode("utf-16-le"), None),
        ("text/html", "<p>日本語の文章</p>".encode("iso2022_jp") * 9, None),
        ("text/html", "<p>Текст страницы</p>".encode("koi8-r") * 9, None),
        ("text/html", PAGE + b"\0\0\0", None),
        ("text/html", b"", "extract:no_body"),
        ("text/html", b" \n\0" * 50, "extract:no_body"),
        ("text/html", b"<p>hi", "extract:too_small"),
        ("text/html", b"%PDF-1.7" + b" " * 100 + b"x", "extract:binary"),
        ("text/html", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "extract:binary"),
        ("text/html", b"\xff\xd8\xff\xe0" + b"JFIF" * 50, "extract:binary"),
        ("text/html", b"\x1f\x8b\x08" + b"x" * 100, "extract:binary"),
        ("text/html", bytes(range(256)), "extract:binary"),
        ("application/pdf", PROSE, "extract:not_html"),
        ("text/plain", PROSE, "extract:not_html"),
        ("application/json", b'{"a": "<p>"}' * 20, "extract:not_html"),
        ("text/css", b"p { color: red }" * 20, "extract:not_html"),
        (None, PROSE, "extract:not_html"),
        (None, PROSE + b"<p>", None),
    ],
)
def test_precheck(mime: str | None, payload: bytes, reason: str | None) -> None:
    assert precheck(mime, payload) == reason


def test_bound_on_size() -> None:
    assert precheck("text/html", b"<p>hi", min_bytes=5) is None


@given(st.none() | st.text(max_size=20), st.binary(max_size=200))
@settings(deadline=None, max_examples=200)
def test_any_input_gives_an_answer(mime: str | None, payload: bytes) -> None:
    assert precheck(mime, payload, min_bytes=1) in {
        None,
        "extract:no_body",
        "extract:binary",
        "extract:not_html",
    }
