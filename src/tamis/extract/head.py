"""What a page says about itself: its title and the language attribute of its root element."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

_TITLE = re.compile(r"<title(?=[\s>/])[^>]*>([^<]*+(?:<(?!/title)[^<]*+)*+)", re.IGNORECASE)
_ROOT = re.compile(r"<html(?=[\s>/])([^>]*)", re.IGNORECASE)
_LANG = re.compile(r"""(?:^|\s)(?:xml:)?lang\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
# Digits that `int` refuses to read at this length; no page means a character by them.
_HUGE_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{20,};?")

# A title or a language tag longer than this is not one.
_TITLE_CHARS = 1000
_LANGUAGE_CHARS = 35


@dataclass(frozen=True, slots=True)
class Head:
    """The page's title and `lang`, each None where it is absent or empty."""

    title: str | None
    language: str | None


def read_head(html: str) -> Head:
    """Return the first `<title>` of the page, on one line, and the `lang` (or `xml:lang`) of `<html>`. Linear."""
    return Head(_title(html), _language(html))


def decode_entities(text: str) -> str:
    """Return text with character references decoded as HTML5 says; absurdly long ones become U+FFFD."""
    if "&" not in text:
        return text
    return unescape(_HUGE_REFERENCE.sub("\ufffd", text))


def _title(html: str) -> str | None:
    found = _TITLE.search(html)
    if found is None:
        return None
    raw = found.group(1)[: 4 * _TITLE_CHARS]
    title = " ".join(decode_entities(_TAG.sub("", raw)).replace("\0", "").split())
    return title[:_TITLE_CHARS].encode("utf-8", "replace").decode() or None


def _language(html: str) -> str | None:
    root = _ROOT.search(html)
    found = _LANG.search(root.group(1)[:10_000]) if root else None
    if found is None:
        return None
    language = next((group for group in found.groups() if group), "").strip()
    return language if 0 < len(language) <= _LANGUAGE_CHARS and language.isascii() else None
