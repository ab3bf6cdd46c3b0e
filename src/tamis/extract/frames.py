"""The frames that pages and answers travel in between a sandbox and its child. Lengths first, UTF-8, no pickling.

A child may have been corrupted by the page it read, so the parent never unpickles or unmarshals what it says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from tamis.extract.extractor import Extracted

PAGE = struct.Struct("<qqq")  # slot of shared memory (-1: the page follows), bytes of url (-1: none), bytes of html
ANSWER = struct.Struct("<BddQq")  # kind, confidence, CPU seconds so far, resident bytes, bytes of body
# Pages of up to SLOT_BYTES travel in memory that parent and child share: a pipe copies twice and wakes the reader at
# every few kB, which took 0.5 ms of CPU for a page of 250 kB.
SLOTS = 4
SLOT_BYTES = 1 << 20
_LENGTH = struct.Struct("<q")
_FIELDS = 5


class Kind(IntEnum):
    """What became of a page, as the child sees it."""

    TEXT = 0
    ERROR = 1
    MEMORY = 2
    EXIT = 3
    REFUSED = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply of a child: the body is the packed text, or the traceback; CPU seconds and RSS are the child's own."""

    kind: Kind
    confidence: float
    cpu_s: float
    rss_bytes: int
    body: bytes


def utf8(html: str | bytes) -> bytes:
    """Return the page as UTF-8, lone surrogates passed through; strict first, which is half again as fast."""
    if isinstance(html, bytes):
        return html
    try:
        return html.encode()
    except UnicodeEncodeError:
        return html.encode("utf-8", "surrogatepass")


def text(html: str | bytes) -> str:
    """Return the page as text, whatever its bytes are."""
    return html if isinstance(html, str) else html.decode("utf-8", "replace")


def pack_page(page: bytes, url: str | None, slot: int) -> bytes:
    """Return the frame of one page (`utf8`); without its bytes if they lie in a slot of shared memory."""
    address = None if url is None else url.encode("utf-8", "replace")
    header = PAGE.pack(slot, -1 if address is None else len(address), len(page))
    return b"".join((header, address or b"", b"" if slot >= 0 else page))


def pack_answer(kind: Kind, confidence: float, cpu_s: float, rss_bytes: int, body: bytes) -> bytes:
    """Return the frame of one answer."""
    return ANSWER.pack(kind, confidence, cpu_s, rss_bytes, len(body)) + body


def pack_extracted(found: Extracted) -> bytes:
    """Return the body of a TEXT answer: five length-prefixed strings, -1 for None."""
    parts = []
    for value in (found.text, found.title, found.language, found.author, found.date):
        raw = None if value is None else value.encode("utf-8", "replace")
        parts += [_LENGTH.pack(-1)] if raw is None else [_LENGTH.pack(len(raw)), raw]
    return b"".join(parts)


def unpack_extracted(body: bytes, confidence: float, extractor: str) -> Extracted:
    """Return what `pack_extracted` packed; raises ValueError or struct.error for a body that is no such thing."""
    values: list[str | None] = []
    at = 0
    for _ in range(_FIELDS):
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        end = at + max(length, 0)
        if end > len(body):
            raise ValueError("field reaches beyond its frame")
        values.append(None if length < 0 else body[at:end].decode("utf-8", "replace"))
        at = end
    text, title, language, author, date = values
    return Extracted(text or "", title, language, confidence, author, date, extractor)


def read_answer(buffer: bytearray) -> Answer | None:
    """Take one answer off the front of `buffer`, or return None if it is not all there yet.

    Raises ValueError for bytes that are no answer.
    """
    if len(buffer) < ANSWER.size:
        return None
    kind, confidence, cpu_s, rss_bytes, length = ANSWER.unpack_from(buffer)
    if length < 0:
        raise ValueError("negative length")
    end = ANSWER.size + length
    if len(buffer) < end:
        return None
    body = bytes(buffer[ANSWER.size : end])
    del buffer[:end]
    return Answer(Kind(kind), confidence, cpu_s, rss_bytes, body)
