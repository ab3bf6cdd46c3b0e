"""The reader: clean files, odd files, damaged files, spans, and the shared collection, beside warcio and FastWARC."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
import zstandard

from tamis.warc.reader import Reader
from tamis.warc.record import DAMAGED, Record


def read(data: bytes, **options: Any) -> list[Record]:
    return list(Reader(io.BytesIO(data), **options))


def bodies(records: list[Record]) -> dict[str, bytes]:
    return {record.url or "": record.payload for record in records if record.type == "response" and not record.problem}


def test_containers_hold_the_same_records(container: Any, made: Any) -> None:
    records = read(container.data)
    assert [record.type for record in records] == ["response"] * 6
    assert bodies(records) == made.bodies
    offsets = [record.offset for record in records]
    assert offsets == sorted(set(offsets))


def test_lf_only_headers(made: Any) -> None:
    records = [made.record(number, made.body(number), newline="\n") for number in range(6)]
    for data in (b"".join(records), made.packed(*records)):
        assert bodies(read(data)) == made.bodies


def test_fields_of_a_record(made: Any) -> None:
    record = read(made.packed(made.record(7, b"<p>x</p>", http='Content-Type: Text/HTML;\r\n charset="GBK"')))[0]
    assert (record.url, record.status, record.mime, record.charset) == (
        "https://example.org/7",
        200,
        "text/html",
        "GBK",
    )
    assert (record.http, record.problem, record.date) == (True, "", "2026-01-01T00:00:00Z")


def test_conversion_records_are_text(made: Any) -> None:
    text = "Plain words.\nМоре.".encode()
    head = f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
    record = read(made.packed(head.encode() + text + b"\r\n\r\n"))[0]
    assert (record.type, record.payload, record.http) == ("conversion", text, False)


def chunked(data: bytes) -> bytes:
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("Content-Encoding: gzip", gzip.compress),
    "x-gzip": ("content-encoding: X-GZIP", gzip.compress),
    "zlib deflate": ("Content-Encoding: deflate", zlib.compress),
    "raw deflate": ("Content-Encoding: deflate", raw_deflate),
    "brotli": ("Content-Encoding: br", brotli.compress),
    "zstd": ("Content-Encoding: zstd", zstandard.compress),
    "chunked": ("Transfer-Encoding: chunked", chunked),
    "chunked gzip": ("Transfer-Encoding: chunked\r\nContent-Encoding: gzip", lambda data: chunked(gzip.compress(data))),
    "twice": ("Content-Encoding: gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    "header left behind": ("Content-Encoding: gzip\r\nTransfer-Encoding: chunked", lambda data: data),
    "br header left behind": ("Content-Encoding: br", lambda data: data),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_codings_are_undone(coding: str, made: Any) -> None:
    http, encode = CODINGS[coding]
    body = b"<html>" + made.body(3)
    record = read(made.packed(made.record(0, encode(body), http=http)))[0]
    assert (record.problem, record.payload) == ("", body)


@pytest.mark.parametrize("coding", ["gzip", "zlib deflate", "brotli", "zstd", "chunked", "chunked gzip"])
def test_cut_codings_are_no_payload(coding: str, made: Any) -> None:
    http, encode = CODINGS[coding]
    cut = encode(made.body(3))[:-30]
    record = read(made.packed(made.record(0, cut, http=http)))[0]
    assert (record.problem, record.payload) == ("content_encoding", b"")


def test_bombs_are_bounded(made: Any) -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 30_000_000))
    record = read(made.packed(made.record(0, bomb, http="Content-Encoding: gzip, gzip")), max_payload=1 << 20)[0]
    assert (record.problem, record.payload) == ("too_large", b"")
    huge = made.packed(made.record(0, b"x" * 9_000_000), made.records[1])
    records = read(huge, max_payload=1 << 20)
    assert [record.problem for record in records] == ["too_large", ""]
    assert records[1].payload == made.bodies["https://example.org/1"]


def test_a_crawlers_cut_is_flagged_and_kept(made: Any) -> None:
    record = read(made.packed(made.record(0, b"<p>half", extra="WARC-Truncated: length")))[0]
    assert (record.problem, record.payload) == ("truncated", b"<p>half")
    record = read(made.packed(made.record(0, b"<p>half", http="Content-Length: 700")))[0]
    assert (record.problem, record.detail) == ("truncated", "HTTP body has 7 of 700 bytes")


def test_response_without_http_is_named(made: Any) -> None:
    data = made.packed(made.records[0].replace(b"HTTP/1.1 200 OK", b"ICYX/1.1 xxx OK"))
    assert read(data)[0].problem == "http_header"


@pytest.mark.parametrize("length", [10, 40, 100_000])
def test_wrong_content_length_costs_one_record(length: int, made: Any) -> None:
    wrong = made.record(1, b"x" * 50, length=length)
    for data in (
        made.packed(made.records[0], wrong, *made.records[2:]),
        b"".join([made.records[0], wrong, *made.records[2:]]),
    ):
        records = read(data)
        assert bodies(records) == {url: body for url, body in made.bodies.items() if not url.endswith("/1")}
        assert [record.problem for record in records if record.type == DAMAGED] == ["content_length"]


def test_length_that_swallows_the_next_member_is_seen(made: Any) -> None:
    wrong = made.record(1, b"x" * 50, length=len(made.record(1, b"x" * 50)) + len(made.records[2]) - 200)
    records = read(made.packed(made.records[0], wrong, *made.records[2:]))
    assert set(bodies(records)) == {url for url in made.bodies if not url.endswith("/1")}


def test_junk_between_records_is_one_damaged_record(made: Any) -> None:
    for join in (made.packed, lambda *records: b"".join(records)):
        data = join(*made.records[:3]) + b"this is no WARC\r\nat all\r\n" + join(*made.records[3:])
        records = read(data)
        assert bodies(records) == made.bodies
        assert [record.problem for record in records if record.type == DAMAGED] == ["damaged"]


def test_empty_and_foreign_files() -> None:
    assert read(b"") == []
    for data in (b"<Error><Code>SlowDown</Code></Error>", b"\x1f\x8b" + b"x" * 100, gzip.compress(b"hello")):
        records = read(data)
        assert [(record.type, record.problem) for record in records] == [(DAMAGED, "damaged")]


def test_many_records_in_a_tiny_member_stay_bounded(made: Any) -> None:
    records = read(made.packed(made.record(0, b"") * 5000, made.records[1]))
    offsets = [record.offset for record in records]
    assert len(set(offsets)) == len(offsets)
    assert bodies(records)["https://example.org/1"] == made.bodies["https://example.org/1"]


def test_odd_bytes_in_a_header_read_the_same_in_both_lanes(made: Any) -> None:
    for plain, odd in (
        (b"WARC-Type: response", b"WARC-Type: r\xe9\x93\xc3\xa9sponse"),
        (b"WARC-Date: ", b"X-Odd: a\nWARC-Date: "),
        (b"Content-Type: application", b"X-Odd: a\nContent-Type: application"),
        (b"WARC-Target-URI: ", b"X-Odd: a\r.\nWARC-Target-URI: "),
        (b"response\r\n", b"response\r.\n"),
    ):
        data = made.packed(*(made.record(number, made.body(1)).replace(plain, odd, 1) for number in range(3)))
        whole = read(data)
        # The last record is always left to the exact reader.
        assert len({record._replace(offset=0, url=None) for record in whole}) == 1
        assert [bool(record.url) for record in whole] == [True] * 3


def arc_of(made: Any) -> list[bytes]:
    first = b"filedesc://x.arc 0.0.0.0 20110922131213 text/plain 20\n1 1 Somebody\nURL ip\n\n"
    records = [first, b"dns:example.org 10.6.0.10 20110922131214 text/dns 14\n20110922131214\n"]
    for number in range(6):
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + made.body(number)
        head = f"https://example.org/{number} 192.0.2.1 20110922131214 text/html {len(block)}\n"
        records.append(head.encode() + block + b"\n")
    return records


def test_arc_files(made: Any) -> None:
    records = arc_of(made)
    for data in (b"".join(records), made.packed(*records)):
        found = read(data)
        assert [record.type for record in found] == ["warcinfo", "resource", *["response"] * 6]
        assert bodies(found) == made.bodies
        assert found[-1].date == "2011-09-22T13:12:14Z"
        broken = bytearray(data)
        at = len(data) // 2
        broken[at : at + 20] = b"\0" * 20
        spans = [Reader(io.BytesIO(bytes(broken)), start=s, end=s + 3000) for s in range(0, len(data), 3000)]
        whole = read(bytes(broken))
        assert [record for span in spans for record in span] == whole
        assert len(whole) >= 7
