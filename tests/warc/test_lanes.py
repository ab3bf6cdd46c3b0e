"""Lanes: whatever reads a gzip file, libdeflate, FastWARC or the exact reader alone, the records are the same."""

from __future__ import annotations

import gzip
import io
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.warc import header, whole
from tamis.warc.layout import Layouts
from tamis.warc.reader import Reader
from tamis.warc.record import DAMAGED, Record

Read = Callable[..., list[Record]]


def exact(data: bytes, **options: Any) -> list[Record]:
    """Read without any fast lane."""
    reader = Reader(io.BytesIO(data), **options)
    reader._fast = lambda cursor: iter(())  # type: ignore[method-assign]
    return list(reader)


@pytest.fixture(params=["libdeflate", "FastWARC"], scope="module")
def read(request: pytest.FixtureRequest) -> Iterator[Read]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "FastWARC":
            patch.setattr(whole, "inflater", lambda: None)
        else:
            pytest.importorskip("deflate")
        yield lambda data, **options: list(Reader(io.BytesIO(data), **options))


def test_containers(read: Read, container: Any) -> None:
    assert read(container.data) == exact(container.data)


def test_shared_collection(read: Read, shared_warcs: list[Path], capfd: pytest.CaptureFixture[str]) -> None:
    small = [path for path in shared_warcs if path.suffix != ".bz2" and path.stat().st_size < 100_000]
    assert len(small) > 100
    for path in small:
        data = path.read_bytes()
        assert read(data) == exact(data), path


def test_damage(read: Read, written: Any) -> None:
    dice = random.Random(3)
    for _ in range(25):
        data = bytearray(written.data)
        for _ in range(dice.randint(1, 8)):
            at, length = dice.randrange(len(data)), dice.choice([1, 2, 8, 300])
            data[at : at + length] = dice.randbytes(dice.choice([0, length, length, 2 * length]))
        assert read(bytes(data)) == exact(bytes(data))


def test_spans(read: Read, written: Any) -> None:
    dice = random.Random(4)
    for _ in range(20):
        start, end = sorted(dice.sample(range(len(written.data)), 2))
        assert read(written.data, start=start, end=end) == exact(written.data, start=start, end=end)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_hostile_bytes(read: Read, made: Any, data: st.DataObject) -> None:
    base = bytearray(made.packed(*made.records))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(base)))
        base[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=30))
    assert read(bytes(base)) == exact(bytes(base))


def test_a_repeated_member_whose_start_is_damaged_is_not_passed_over(read: Read, made: Any) -> None:
    # It ends in the same checksum and size as the one before it.
    first, second = made.packed(made.records[0]), made.packed(made.records[1])
    records = read(first + b"\0" + first[1:] + second)
    assert [record.type for record in records] == ["response", DAMAGED, "response"]


def test_a_magic_number_inside_a_member_is_no_end(read: Read, made: Any) -> None:
    inner = gzip.compress(b"never mind", mtime=0)
    stored = [zlib.compress(made.record(n, inner * 5), 0, wbits=31) for n in range(3)]
    records = read(b"".join(stored))
    assert [record.payload for record in records] == [inner * 5] * 3


def test_a_record_of_more_than_is_allowed(read: Read, made: Any) -> None:
    data = made.packed(made.record(0, b"a" * 3_000_000), made.record(1, b"b" * 100), made.record(2, b"c" * 900_000))
    records = read(data, max_payload=1 << 20)
    assert [(record.problem, len(record.payload)) for record in records] == [
        ("too_large", 0),
        ("", 100),
        ("", 900_000),
    ]
    assert records == exact(data, max_payload=1 << 20)


def test_a_member_wider_than_the_fast_lane(read: Read, made: Any) -> None:
    body = random.Random(5).randbytes(9_000_000)
    data = made.packed(made.record(0, b"a"), made.record(1, body), made.record(2, b"c"))
    assert [record.payload for record in read(data)] == [b"a", body, b"c"]


def test_a_size_that_lies(read: Read, made: Any) -> None:
    member = bytearray(made.packed(made.records[0]))
    for size in (0, 1, len(made.records[0]) + 1, 1 << 31):
        member[-4:] = size.to_bytes(4, "little")
        records = read(bytes(member) + made.packed(*made.records[1:]))
        assert [record.type for record in records] == [DAMAGED] + ["response"] * 5


def test_a_gzip_header_with_a_checksum(read: Read, made: Any) -> None:
    plain = made.packed(made.records[0])
    start = plain[:3] + b"\2" + plain[4:10]
    for checksum, kind in ((zlib.crc32(start) & 0xFFFF, "response"), (0x1234, DAMAGED)):
        member = start + checksum.to_bytes(2, "little") + plain[10:]
        records = read(member + made.packed(made.records[1]))
        assert [record.type for record in records] == [kind, "response"]


NAMES = ["WARC-Type", "Content-Length", "Content-Type", "WARC-Target-URI", "WARC-Date", "WARC-Truncated", "X-Other"]
VALUES = ["response", "17", "application/http; a", "APPLICATION/HTTP", "text/html", "<http://é/>", "", "a: b", "a\rb"]
LINES = st.tuples(
    st.sampled_from([*NAMES, *map(str.lower, NAMES), " folded", "WARC-Type "]),
    st.sampled_from([":", ": ", ":\t "]),
    st.sampled_from(VALUES),
    st.sampled_from(["", "", " ", "\t"]),
    st.sampled_from(["\r\n"] * 9 + ["\n"]),
)


@settings(deadline=None, max_examples=400)
@given(headers=st.lists(st.lists(LINES, max_size=9), min_size=1, max_size=4), version=st.sampled_from("019"))
def test_a_learnt_layout_reads_what_the_parser_reads(headers: list[list[tuple[str, ...]]], version: str) -> None:
    layouts = Layouts()
    usual = "".join(f"{name}: {value}\r\n" for name, value in zip(NAMES[:4], VALUES[:4], strict=False))
    texts = [usual, *("".join(map("".join, lines)) for lines in headers)]
    for text in [*texts, *texts]:
        data = f"WARC/1.{version}\r\n{text}\r\nblock".encode()
        truth, found = header.parse(data), layouts.parse(bytearray(data), 5)
        assert (truth is None) == (found is None)
        if truth and found:
            frame, start, stop = found
            assert (start, stop, frame.type, frame.url, frame.date, frame.http, frame.truncated, frame.offset) == (
                truth.size,
                truth.size + truth.length,
                truth.type,
                truth.url,
                truth.date,
                truth.http,
                truth.truncated,
                5,
            )


def test_layouts_are_learnt_and_few() -> None:
    layouts = Layouts()
    for number in range(200):
        data = bytearray(f"WARC/1.0\r\nWARC-Type: {number}\r\nContent-Length: 0\r\n\r\n".encode())
        assert layouts.parse(data, 0) == layouts.parse(data, 0)
    assert 20 < sum(map(len, layouts._known.values())) <= 32
