"""Cheap checks before a page is decoded: is the body HTML at all, whatever its media type says?"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files

# A page of fewer bytes cannot hold a paragraph.
MIN_BYTES = 64
# What is looked at; the MIME Sniffing standard reads 1,445 bytes.
_SNIFFED_BYTES = 2048
# One byte in this many may be a control character that text does not hold: real pages have stray ones.
_BINARY_ONE_IN = 20
_BLANK = b" \t\r\n\0"
_BINARY = bytes([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])
_LEADING = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s++|<\?[^>]*+>|<!--(?>[^-]++|-(?!->))*+-->)*+")


@dataclass(frozen=True, slots=True)
class _Knowledge:
    html: frozenset[str]
    vague: frozenset[str]
    tags: re.Pattern[bytes]
    magic: tuple[bytes, ...]


@functools.cache
def _knowledge() -> _Knowledge:
    table = tomllib.loads((files("tamis.extract") / "checks.toml").read_text("utf-8"))
    tags = "|".join(re.escape(tag) for tag in table["tags"])
    magic = tuple(bytes.fromhex(start) for starts in table["magic"].values() for start in starts)
    pattern = re.compile(rf"<(?:{tags})(?=[\s/>])".encode(), re.IGNORECASE)
    return _Knowledge(frozenset(table["html"]), frozenset(table["vague"]), pattern, magic)


def precheck(mime: str | None, payload: bytes, *, min_bytes: int = MIN_BYTES) -> str | None:
    """Return why a body is not worth extracting, or None where it is.

    `mime` is the Content-Type header as it stands, or None. Reasons: `extract:no_body`, `extract:too_small` (fewer
    than `min_bytes`), `extract:binary` (a PDF, image, archive … or mostly control bytes, whatever the type says) and
    `extract:not_html` (the type is another one, and the body does not start as a page). A body that starts as a page
    passes under any type; UTF-16 is text. Looks at the first 2,048 bytes only.
    """
    start = payload[:_SNIFFED_BYTES]
    if not start.strip(_BLANK) and not payload.strip(_BLANK):
        return "extract:no_body"
    if len(payload) < min_bytes:
        return "extract:too_small"
    known = _knowledge()
    if is_binary(start):
        return "extract:binary"
    stated = (mime or "").partition(";")[0].strip().lower()
    if stated in known.html or _starts_as_page(start):
        return None
    return None if stated in known.vague and b"<" in start and stated != "text/plain" else "extract:not_html"


def is_binary(start: bytes) -> bool:
    """Return whether a body that starts so is no text: a known signature, or more than 5 % control bytes."""
    if start.startswith(_knowledge().magic):
        return True
    if _utf16(start):
        return False
    return len(start) - len(start.translate(None, _BINARY)) > len(start) // _BINARY_ONE_IN


def _utf16(start: bytes) -> bool:
    return start[:2] in (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")


def _starts_as_page(start: bytes) -> bool:
    if _utf16(start):
        start = start.replace(b"\0", b"").lstrip(b"\xff\xfe")
    leading = _LEADING.match(start)
    return _knowledge().tags.match(start, leading.end() if leading else 0) is not None
