"""From a framed block to a `Record`: the HTTP header read, the body decoded, every doubt named."""

from __future__ import annotations

import functools
import re

from tamis.warc import coding
from tamis.warc.record import Frame, Record

_STATUS = re.compile(rb"[A-Za-z]+/?[\d.]*[ \t]+(\d{3})(?!\d)")
_VALUE = re.compile(rb"[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]+)", re.I)
_NAMES = (b"\ncontent-type", b"\ncontent-length", b"\ncontent-encoding", b"\ntransfer-encoding")
# Longest HTTP header, in bytes; servers refuse far shorter ones.
MAX_HEAD = 64 << 10
_HTTP_TYPES = frozenset({"response", "request", "revisit", "resource"})
# Statuses that never have a body: their Content-Length speaks of another response.
_BODILESS = frozenset({204, 304})


def to_record(frame: Frame, max_payload: int) -> Record:
    """Return the record of a frame: for HTTP messages with the body decoded, at most `max_payload` bytes."""
    if frame.problem:
        return _record(frame, problem=frame.problem, detail=frame.detail)
    if frame.http and frame.type in _HTTP_TYPES:
        return _finish(frame, _split(frame)[1]) if frame.type == "request" else _http_record(frame, max_payload)
    if len(frame.block) > max_payload:
        return _record(frame, problem="too_large", detail=f"block of {len(frame.block)} bytes")
    return _finish(frame, frame.block)


def _http_record(frame: Frame, max_payload: int) -> Record:
    head, body = _split(frame)
    status = _status(head)
    if frame.type == "response" and status is None:
        return _record(frame, problem="http_header", detail="no HTTP status line")
    fields = _fields(head)
    mime, charset = content_type(fields.get(b"content-type", b""))
    payload, problem, detail = body, "", ""
    if b"content-encoding" in fields or b"transfer-encoding" in fields or len(body) > max_payload:
        payload, problem, detail = _body(body, fields, max_payload)
    if not problem and status not in _BODILESS and frame.type == "response":
        problem, detail = _missing(body, fields)
    if problem and not (frame.truncated or problem == "truncated"):
        payload = b""
    return _finish(frame, payload, status, mime, charset, problem, detail)


def _status(head: bytes) -> int | None:
    """Return the status of an HTTP status line, None where there is none."""
    # What nearly every server sends is looked up; what follows a status there does not change it.
    known = _usual_status(head[:13])
    if known is not None:
        return known
    found = _STATUS.match(head)
    return int(found[1]) if found else None


@functools.lru_cache(maxsize=1024)
def _usual_status(start: bytes) -> int | None:
    """Return the status of `HTTP/1.x nnn` and a blank or line end, None for anything else."""
    digits = start[9:12]
    usual = start[:7] == b"HTTP/1." and start[8:9] == b" " and digits.isdigit() and start[12:13] in b" \r\n"
    return int(digits) if usual else None


def _fields(head: bytes) -> dict[bytes, bytes]:
    """Return the header fields that reading needs; of repeated ones the first counts."""
    lower = head.lower()
    fields = {}
    # Four searches for fixed strings cost a quarter of one regular expression over all lines.
    for name in _NAMES:
        at = lower.find(name)
        if at < 0:
            continue
        start = at + len(name)
        end = head.find(b"\r\n", start)
        if head[start : start + 2] == b": " and end > 0 and head[end + 2 : end + 3] not in b" \t":
            value = head[start + 2 : end].lstrip(b" \t")
            if b"\n" not in value and b"\r" not in value:
                fields[name[1:]] = value
                continue
        if found := _VALUE.match(head, start):
            fields[name[1:]] = found[1]
    return fields


def _split(frame: Frame) -> tuple[bytes, bytes]:
    """Return (HTTP header, body)."""
    if frame.head is not None:
        return frame.head, frame.block
    end, start = border(frame.block, 0, len(frame.block))
    return frame.block[:end], frame.block[start:]


def border(data: bytes | bytearray, start: int, stop: int) -> tuple[int, int]:
    """Return where the HTTP header of the block data[start:stop] ends, and where its body starts; a block without a
    blank line is all header, unless it is too long for one."""
    limit = min(start + MAX_HEAD, stop)
    end = data.find(b"\n\r\n", start, limit)
    bare = data.find(b"\n\n", start, end if end >= 0 else limit)
    if bare >= 0:
        return bare, bare + 2
    if end >= 0:
        return end, end + 3
    return (stop, stop) if stop - start <= MAX_HEAD else (start, start)


@functools.lru_cache(maxsize=1024)
def content_type(value: bytes) -> tuple[str | None, str | None]:
    """Return (mime, charset) of a Content-Type value: the main part in lower case, and the charset as written."""
    text = value.decode("latin-1")
    found = _CHARSET.search(text)
    return text.partition(";")[0].strip().lower() or None, found[1] if found else None


def _body(body: bytes, fields: dict[bytes, bytes], limit: int) -> tuple[bytes, str, str]:
    """Return (payload, problem, detail) of a body; on a fault, payload is as much as decodes."""
    try:
        if b"chunked" in fields.get(b"transfer-encoding", b"").lower():
            body = coding.unchunk(body)
        for name in reversed(fields.get(b"content-encoding", b"").decode("latin-1").lower().split(",")):
            body = coding.decode(body, name.strip(), limit)
    except coding.BrokenError as fault:
        return fault.decoded, "content_encoding", f"body decodes to {len(fault.decoded)} bytes only"
    except coding.TooLargeError:
        return b"", "too_large", f"body decodes to more than {limit} bytes"
    if len(body) > limit:
        return b"", "too_large", f"body of {len(body)} bytes"
    return body, "", ""


def _missing(body: bytes, fields: dict[bytes, bytes]) -> tuple[str, str]:
    """Return ("truncated", detail) where the body is shorter than its Content-Length says, else ("", "").

    An empty body is no part of a page, and a longer one is whole: some crawlers decode bodies and keep the header.
    """
    stated = fields.get(b"content-length", b"").strip()
    # A crawler that stores a decoded body keeps the encoded length; a chunked body has no length of its own.
    if not body or not stated.isdigit() or b"content-encoding" in fields or b"transfer-encoding" in fields:
        return "", ""
    if len(stated) < 18 and len(body) >= int(stated):
        return "", ""
    return "truncated", f"HTTP body has {len(body)} of {stated[:20].decode('latin-1')} bytes"


def _finish(
    frame: Frame,
    payload: bytes,
    status: int | None = None,
    mime: str | None = None,
    charset: str | None = None,
    problem: str = "",
    detail: str = "",
) -> Record:
    # A revisit is meant to lack its body.
    if frame.truncated and problem != "too_large" and frame.type != "revisit":
        problem, detail = "truncated", f"WARC-Truncated: {frame.truncated[:40]}"
    return Record(
        frame.offset, frame.type, frame.url, frame.date, status, mime, charset, payload, frame.http, problem, detail
    )


def _record(frame: Frame, *, problem: str, detail: str) -> Record:
    return Record(frame.offset, frame.type, frame.url, frame.date, http=frame.http, problem=problem, detail=detail)
