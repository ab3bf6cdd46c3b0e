"""What a page states about itself: title, author, date, language, canonical address, licences, robots."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import unescape
from itertools import chain

from tamis.extract.native import layout
from tamis.extract.native.blocks import Page
from tamis.extract.native.names import names

_TAG = re.compile(r"<[^>]*>")
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-/.]?(0[1-9]|1[0-2])[-/.]?(0[1-9]|[12]\d|3[01])(?!\d)")
_PUBLISHED = re.compile(rb'"datePublished"\s*:\s*"([^"\\]{8,40})"')
_HUGE_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{20,};?")
# More of a statement than this is not looked at.
_MOST_BYTES = 4000
_TITLE_CHARS = 1000
_LANGUAGE_CHARS = 35
_JSON_BYTES = 1 << 20
_JSON_DEPTH = 12
_KINDS = {
    layout.EVENT_TITLE: "head",
    layout.EVENT_LANGUAGE: "lang",
    layout.EVENT_LICENCE: "licence",
    layout.EVENT_CANONICAL: "canonical",
    layout.EVENT_TIME: "time",
    layout.EVENT_JSON: "json",
}


@dataclass(frozen=True, slots=True)
class Statements:
    """Each None, or empty, where the page does not say. `date` is the day of publication, YYYY-MM-DD.

    `licences` are the addresses of `rel=license` and Creative Commons links; `robots` the directives of the robots
    meta elements, lower case, in order.
    """

    title: str | None
    author: str | None
    date: str | None
    language: str | None
    canonical: str | None
    licences: tuple[str, ...]
    robots: tuple[str, ...]


def read_statements(page: Page) -> Statements:
    """Return what the page states, the first where it states a thing twice."""
    kinds = names().statements
    found: dict[str, list[tuple[int, int]]] = {}
    for kind, start, end in page.events.tolist():
        found.setdefault(_KINDS.get(kind) or kinds[kind], []).append((start, end))

    def first(*wanted: str) -> str | None:
        for kind in wanted:
            for start, end in found.get(kind, ()):
                if text := _text(page, start, end):
                    return text
        return None

    author, language = first("author"), first("lang", "language")
    robots = (word.strip() for span in found.get("robots", ()) for word in _text(page, *span).lower().split(","))
    return Statements(
        (first("head") or first("title") or "")[:_TITLE_CHARS] or None,
        author if author and "://" not in author else None,
        _date(page, found, first("published"), first("time")),
        language if language and len(language) <= _LANGUAGE_CHARS and language.isascii() else None,
        first("canonical", "og:url"),
        tuple(dict.fromkeys(_text(page, *span) for span in found.get("licence", ()))),
        tuple(dict.fromkeys(word for word in robots if word)),
    )


def _text(page: Page, start: int, end: int) -> str:
    raw = page.source[start : min(end, start + _MOST_BYTES)].tobytes().decode("utf-8", "replace")
    if "<" in raw:
        raw = _TAG.sub("", raw)
    if "&" in raw:
        raw = unescape(_HUGE_REFERENCE.sub("\ufffd", raw)).encode("utf-8", "replace").decode()
    return " ".join(raw.replace("\0", "").split())


def _date(page: Page, found: dict[str, list[tuple[int, int]]], published: str | None, timed: str | None) -> str | None:
    """Return the first day stated by meta elements, then by JSON-LD, then by `<time>`."""
    scripts = (page.source[at : min(end, at + _JSON_BYTES)].tobytes() for at, end in found.get("json", ()))
    stated = (_PUBLISHED.search(script) for script in scripts)
    dates = (match.group(1).decode("utf-8", "replace") for match in stated if match)
    for text in chain((published or "",), dates, (timed or "",)):
        if day := _DATE.search(text):
            return "-".join(day.groups())
    return None


def article_body(page: Page) -> str:
    """Return the longest `articleBody` or `text` of the page's JSON-LD, for pages whose elements hold no text."""
    best = ""
    for kind, start, end in page.events.tolist():
        if kind == layout.EVENT_JSON and end - start <= _JSON_BYTES:
            try:
                stated = json.loads(page.source[start:end].tobytes().decode("utf-8", "replace"), strict=False)
            except (ValueError, RecursionError):
                continue
            best = max(best, _longest_body(stated, 0), key=len)
    return _TAG.sub(" ", best).encode("utf-8", "replace").decode()


def _longest_body(value: object, depth: int) -> str:
    if depth > _JSON_DEPTH:
        return ""
    if isinstance(value, list):
        return max((_longest_body(part, depth + 1) for part in value), key=len, default="")
    if not isinstance(value, dict):
        return ""
    own = [body for key in ("articleBody", "text") if isinstance(body := value.get(key), str)]
    return max([*own, *(_longest_body(part, depth + 1) for part in value.values())], key=len, default="")
