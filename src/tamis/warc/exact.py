"""The exact reader: frames every record with its own parser, verifies members, and names each damaged stretch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tamis.warc import header, repair
from tamis.warc.header import WARC, Format, Header
from tamis.warc.members import Member, Opener
from tamis.warc.record import DAMAGED, Frame

_SCAN = 1 << 20
_FAR = 1 << 62
# How much of one compressed member is searched for a readable record: a bomb must not cost hours.
_MAX_SEARCH = 256 << 20


@dataclass(frozen=True, slots=True)
class Codec:
    """How a file is compressed: how to open a member, and how to find the next one that starts a record."""

    name: str
    open: Opener
    find: Callable[[BinaryIO, int, int], int]  # stream, from, size -> offset, or size where there is none
    form: Format = WARC
    plain: bool = False  # uncompressed: the whole file is one member, and records are found inside it


@dataclass(slots=True)
class Cursor:
    """Where the exact reader stands: `boundary` is the start of the next unread member, or plain record."""

    boundary: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """Reading stops before the first record at or after `end`; `size` is the file's, `block` the largest block."""

    end: int
    size: int
    block: int


def frames(stream: BinaryIO, codec: Codec, cursor: Cursor, bounds: Bounds, patience: int = 1 << 62) -> Iterator[Frame]:
    """Yield the frames from `cursor.boundary` on, one more per damaged stretch, and move the cursor past them.

    Stops after `patience` members, or at the first record at or after `bounds.end`. A damaged stretch runs to the next
    readable record, even beyond that end: the reader of the next span starts there.
    """
    while cursor.boundary < bounds.size and patience > 0:
        start = cursor.boundary
        if start >= bounds.end and codec.find(stream, start, bounds.size) == start:
            return
        patience -= 1
        yield from _member(stream, codec, cursor, bounds)


def _member(stream: BinaryIO, codec: Codec, cursor: Cursor, bounds: Bounds) -> Iterator[Frame]:
    start = cursor.boundary
    member = codec.open(stream, start)
    while _skip_breaks(member):
        offset, used = member.next_offset(), member.used
        head = _peek_header(member, codec.form)
        if head and codec.plain and offset >= bounds.end and _found(stream, codec, offset, bounds):
            cursor.boundary = offset
            return
        frame = _record(member, head, codec.form, bounds.block)
        if frame.type == DAMAGED:
            if not _resync(member, codec.form, _FAR if codec.plain else _MAX_SEARCH):
                yield from _close(stream, codec, cursor, bounds, member, frame)
                return
            frame.detail += f" (offset {offset}, {member.used - used} bytes)"
        member.records += 1
        yield frame
    fault = Frame(member.next_offset(), DAMAGED, problem=member.fault) if member.fault else None
    yield from _close(stream, codec, cursor, bounds, member, fault)


def _found(stream: BinaryIO, codec: Codec, offset: int, bounds: Bounds) -> bool:
    """Return whether the reader of the next span would find the record at `offset`: one that follows another's block
    without a line end it would not, and so it belongs to this span. Leaves the stream where it is."""
    position = stream.tell()
    found = codec.find(stream, offset, bounds.size) == offset
    stream.seek(position)
    return found


def _close(
    stream: BinaryIO, codec: Codec, cursor: Cursor, bounds: Bounds, member: Member, broken: Frame | None
) -> Iterator[Frame]:
    """Move the cursor behind the member; where it ended badly, yield its damaged stretch, unless that is padding."""
    start = cursor.boundary
    cursor.boundary = codec.find(stream, start + 1, bounds.size) if member.fault else max(member.end, start + 1)
    if broken is None:
        return
    first = min(broken.offset, bounds.size - 1) if codec.plain else start
    if broken.url is None and repair.is_padding(stream, first, cursor.boundary):
        return
    broken.detail = f"{broken.detail or 'unreadable'} (offset {first}, {cursor.boundary - first} bytes)"
    yield broken


def _skip_breaks(member: Member) -> bool:
    """Skip line ends; return whether data follows them."""
    while (byte := member.peek(1)) in (b"\r", b"\n"):
        member.take(1)
    return bool(byte)


def _peek_header(member: Member, form: Format) -> Header | None:
    # Nearly every header fits the first look; the second is for the giants.
    head = form.parse(member.peek(2048))
    return head or form.parse(member.peek(header.MAX_HEADER))


def _record(member: Member, head: Header | None, form: Format, max_block: int) -> Frame:
    """Return the record at the member's position, or a `damaged` frame for one that is not whole and verified.

    After a record the member has ended and was verified, or a line end and the next record follow.
    """
    frame = Frame(member.next_offset(), DAMAGED)
    if head is None:
        frame.problem, frame.detail = member.fault or "damaged", f"no {form.name.upper()} header"
        member.take(1)
        return frame
    if member.records and member.records + 1 >= member.end - member.offset:
        # Only a bomb has more records than compressed bytes; its offsets would run into the next member's.
        frame.problem, frame.detail = "damaged", "more records than bytes"
        member.skip(_FAR)
        return frame
    frame.url, frame.date, frame.http, frame.truncated = head.url, head.date, head.http, head.truncated
    member.take(head.size)
    block = member.take(head.length) if head.length <= max_block else b""
    got = len(block) if head.length <= max_block else member.skip(head.length)
    frame.problem, frame.detail = _judge(member, form, got, head.length)
    if frame.problem:
        member.put_back(block)
        return frame
    frame.type, frame.block = head.type, block
    if head.length > max_block:
        frame.problem, frame.detail = "too_large", f"block of {head.length} bytes"
    return frame


def _judge(member: Member, form: Format, got: int, expected: int) -> tuple[str, str]:
    """Return (problem, detail) of a record whose block was just taken; ("", "") where it is whole."""
    tail = member.peek(64)
    if got < expected:
        return member.fault or "content_length", f"block ends after {got} of {expected} bytes"
    if member.fault and len(tail) < 64:
        return member.fault, "compressed data ends early" if member.fault == "truncated" else "checksum does not match"
    rest = tail.lstrip(b"\r\n")
    if rest and not form.begin.match(rest) and not tail.startswith((b"\r\n\r\n", b"\n\n")):
        return "content_length", f"data goes on after {expected} bytes"
    return "", ""


def _resync(member: Member, form: Format, limit: int) -> bool:
    """Move to the next sane header inside the member; return whether there is one, else the member is used up."""
    stop = member.used + limit
    while data := member.peek(_SCAN):
        if member.used > stop:
            member.fault = "too_large"
            return False
        for found in form.candidate.finditer(data):
            if form.parse(data[found.start() : found.start() + header.MAX_HEADER]):
                member.take(found.start())
                return True
        # Keep enough for a header that straddles this look and the next.
        keep = 0 if member.closed() and len(data) < _SCAN else header.MAX_HEADER
        member.take(len(data) - keep)
    return False
