"""From a framed block to a `Record`: the HTTP header read, the body decoded, every doubt named."""

from __future__ import annotations

import re

from tamis.warc import coding
from tamis.warc.record import Frame, Record

_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"[A-Za-z]+/?[\d.]*[ \t]+(\d{3})(?!\d)")
_FIELD = re.compile(
    rb"^(content-(?:type|length|encoding)|transfer-encoding)[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)",
    re.I | re.M,
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:+-]+)", re.I)
# Statuses that never have a body: their Content-Length speaks of another response.
_BODILESS = frozenset({204, 304})


def to_record(frame: Frame, max_payload: int) -> Record:
    """Return the record of a frame: for HTTP messages with the body decoded, at most `max_payload` bytes."""
    if frame.problem:
        return _record(frame, problem=frame.problem, detail=frame.detail)
    if not frame.http or frame.type not in ("response", "request", "revisit"):
        if len(frame.block) > max_payload:
            return _record(frame, problem="too_large", detail=f"block of {len(frame.block)} bytes")
        return _finish(frame, frame.block)
    return _http_record(frame, max_payload)


def _http_record(frame: Frame, max_payload: int) -> Record:
    block = frame.block
    end = _END.search(block)
    head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    status = _STATUS.match(head)
    if frame.type == "response" and status is None:
        return _record(frame, problem="http_header", detail="no HTTP status line")
    fields: dict[bytes, bytes] = {}
    for name, value in _FIELD.findall(head):
        fields.setdefault(name.lower(), value)
    frame_status = int(status[1]) if status and frame.type != "request" else None
    mime, charset = content_type(fields.get(b"content-type", b""))
    payload, problem, detail = _body(body, fields, max_payload)
    if not problem and frame_status not in _BODILESS and frame.type == "response":
        problem, detail = _missing(body, fields)
    if problem and not (frame.truncated or problem == "truncated"):
        payload = b""
    return _finish(frame, payload, frame_status, mime, charset, problem, detail)


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
