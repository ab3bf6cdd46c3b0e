"""WARC record headers: the lenient parser used where files are damaged or odd."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

# FastWARC's bound; no real header comes near it.
MAX_HEADER = 32 << 10

_VERSION = re.compile(rb"WARC/[01]\.\d{1,2}[ \t]*\r?\n", re.I)
_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_LENGTH = re.compile(rb"\d{1,18}\Z")


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of a WARC header that reading needs. `size` is the header's length in bytes, blank line included."""

    size: int
    type: str
    url: str | None
    date: str | None
    length: int
    http: bool
    truncated: str


def parse(data: bytes) -> Header | None:
    """Return the WARC header that `data` starts with, or None where there is no sane one.

    Sane: a `WARC/x.y` line, a blank line within `MAX_HEADER` bytes, and a Content-Length of digits. Lines may end in
    LF alone; names are case-insensitive; of repeated fields the first counts.
    """
    version = _VERSION.match(data)
    end = _END.search(data, version.end() - 2, MAX_HEADER) if version else None
    if version is None or end is None:
        return None
    fields = _fields(data[version.end() : end.start()])
    length = fields.get(b"content-length", b"")
    if not _LENGTH.match(length):
        return None
    return Header(
        end.end(),
        (_text(fields.get(b"warc-type")) or "").lower() or "unknown",
        bare_url(_text(fields.get(b"warc-target-uri"))),
        _text(fields.get(b"warc-date")),
        int(length),
        is_http(fields.get(b"content-type", b"").decode("latin-1")),
        _text(fields.get(b"warc-truncated")) or "",
    )


def _fields(block: bytes) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for line in _FOLD.sub(b" ", block).split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def bare_url(value: str | None) -> str | None:
    """Return a WARC-Target-URI without the angle brackets that wget 1.14 puts around it; None where it is empty."""
    if value and value[0] == "<" and value[-1] == ">":
        value = value[1:-1]
    return value or None


def is_http(content_type: str) -> bool:
    """Return whether a WARC Content-Type announces an HTTP message."""
    return content_type[:16].lower() == "application/http"


@dataclass(frozen=True, slots=True)
class Format:
    """A record format: how to parse a header, what one begins with, and where in a file one may begin."""

    name: str
    parse: Callable[[bytes], Header | None]
    begin: re.Pattern[bytes]
    candidate: re.Pattern[bytes]


WARC = Format("warc", parse, re.compile(rb"WARC/", re.I), re.compile(rb"(?<=\n)WARC/[01]\.\d", re.I))
