"""What a reader yields: one `Record` per record or damaged stretch of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# `Record.type` of a stretch of bytes that is no readable record.
DAMAGED = "damaged"

MAX_PAYLOAD = 64 << 20


# A tuple, because making a frozen dataclass of eleven fields costs 1.5 µs, a tenth of reading a small record.
class Record(NamedTuple):
    """One record of a WARC file, or one damaged stretch of it.

    offset: where the record starts in the file: byte offset of its gzip member or zstd frame, or of its header in a
        plain file. The i-th further record of the same member has offset + i, so offsets are unique. In .lz4 and .bz2
        files offsets count uncompressed bytes.
    type: `response`, `request`, `warcinfo`, `metadata`, `revisit`, `resource`, `conversion`, …, or `damaged`.
    status, mime, charset: from the HTTP header, None where there is none; mime is the main part, lower-case.
    payload: HTTP body after transfer and content decoding, or the block of a record without HTTP.
    problem: "" or why the payload is not usable: `truncated` (the crawler cut it: the payload is what it kept; or the
        file ends inside the record), `damaged`, `content_length`, `content_encoding`, `too_large`, `http_header`.
        Save for a crawler's cut, `payload` is empty whenever `problem` is not.
    detail: what exactly is wrong, with the offset and length of a damaged stretch.
    """

    offset: int
    type: str
    url: str | None = None
    date: str | None = None
    status: int | None = None
    mime: str | None = None
    charset: str | None = None
    payload: bytes = b""
    http: bool = False
    problem: str = ""
    detail: str = ""


@dataclass(slots=True)
class Frame:
    """A record as it is framed in the file: header fields and the raw block, before HTTP is looked at.

    Where `head` is set, the HTTP header up to its blank line was split off already, and `block` is the rest: one copy
    of the body less, a tenth of the reading time.
    """

    offset: int
    type: str
    url: str | None = None
    date: str | None = None
    http: bool = False
    truncated: str = ""
    head: bytes | None = None
    block: bytes = b""
    problem: str = ""
    detail: str = ""
