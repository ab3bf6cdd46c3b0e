"""WARC files made for the tests, with their truth: the same six records in every container, and 200 in one file."""

from __future__ import annotations

import bz2
import gzip
import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from fastwarc.stream_io import Lz4Writer
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

SHARED = Path(__file__).resolve().parents[2] / "../shared/data"


@pytest.fixture(scope="session")
def shared_warcs() -> list[Path]:
    folder = SHARED / "warc"
    if not folder.is_dir():
        pytest.skip("needs the WARC collection in ../shared/data/warc")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def raw_record(
    number: int,
    body: bytes,
    *,
    kind: str = "response",
    length: int | None = None,
    http: str = "Content-Type: text/html; charset=utf-8",
    extra: str = "",
    newline: str = "\r\n",
) -> bytes:
    """Return one uncompressed record, written by hand so that it can be wrong."""
    block = f"HTTP/1.1 200 OK\r\n{http}\r\n\r\n".encode() + body
    lines = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        f"WARC-Target-URI: https://example.org/{number}",
        "WARC-Date: 2026-01-01T00:00:00Z",
        "Content-Type: application/http; msgtype=response",
        *([extra] if extra else []),
        f"Content-Length: {len(block) if length is None else length}",
        "",
        "",
    ]
    return newline.join(lines).encode() + block + 2 * newline.encode()


def body_of(number: int, seed: int = 0) -> bytes:
    """Return a page's body, different for each number, of 20 to 3,000 words."""
    dice = random.Random(number * 1000 + seed)
    words = ["tide", "stone", "river", "école", "море", "山", "<p>", "</p>\r\n", "\n\n", "WARC", str(number)]
    return " ".join(dice.choices(words, k=dice.randint(20, 3000))).encode()


class Written:
    """A gzipped WARC file: its bytes, the members' offsets, and the bodies of its response records by URL."""

    def __init__(self, count: int, seed: int = 0) -> None:
        out = io.BytesIO()
        writer = WARCWriter(out, gzip=True)
        self.offsets: list[int] = []
        self.bodies: dict[str, bytes] = {}
        for number in range(count):
            url = f"https://example.org/{number}"
            body = body_of(number, seed)
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
            self.offsets.append(out.tell())
            record = writer.create_warc_record(url, "response", io.BytesIO(body), http_headers=http)
            writer.write_record(record)
            self.bodies[url] = body
        self.data = out.getvalue()
        self.ends = [*self.offsets[1:], len(self.data)]


def packed(*records: bytes) -> bytes:
    return b"".join(gzip.compress(record, mtime=0) for record in records)


PLAIN = [raw_record(number, body_of(number)) for number in range(6)]
TRUTH = {f"https://example.org/{number}": body_of(number) for number in range(6)}


def zstd_frames(records: list[bytes], dictionary: bytes = b"") -> bytes:
    loaded = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
    compressor = zstandard.ZstdCompressor(dict_data=loaded, write_checksum=True)
    head = b"\x5d\x2a\x4d\x18" + len(dictionary).to_bytes(4, "little") + dictionary if dictionary else b""
    return head + b"".join(compressor.compress(record) for record in records)


def lz4(data: bytes) -> bytes:
    out = io.BytesIO()
    writer = Lz4Writer(out)
    writer.write(data)
    writer.close()
    return out.getvalue()


def dictionary() -> bytes:
    return zstandard.train_dictionary(2048, [record[:400] for record in PLAIN] * 40).as_bytes()


CONTAINERS: dict[str, Callable[[], bytes]] = {
    "gzip": lambda: packed(*PLAIN),
    "single-member gzip": lambda: packed(b"".join(PLAIN)),
    "two records a member": lambda: packed(*(b"".join(PLAIN[at : at + 2]) for at in range(0, 6, 2))),
    "plain": lambda: b"".join(PLAIN),
    "zstd": lambda: zstd_frames(PLAIN),
    "zstd with dictionary": lambda: zstd_frames(PLAIN, dictionary()),
    "zstd in one frame": lambda: zstd_frames([b"".join(PLAIN)]),
    "lz4": lambda: lz4(b"".join(PLAIN)),
    "bz2": lambda: bz2.compress(b"".join(PLAIN)),
    "empty members between": lambda: packed(*(part for record in PLAIN for part in (record, b"", b"\r\n"))),
    "zeros at the end": lambda: packed(*PLAIN) + b"\0" * 1000,
}


@dataclass(frozen=True)
class Container:
    """Six records in one kind of file."""

    name: str
    data: bytes


@pytest.fixture(params=CONTAINERS)
def container(request: pytest.FixtureRequest) -> Container:
    return Container(request.param, CONTAINERS[request.param]())


@pytest.fixture(scope="session")
def written() -> Written:
    return Written(200)


@pytest.fixture(scope="session")
def many() -> Written:
    return Written(500)


@dataclass(frozen=True)
class Made:
    """What tests build their files from: six plain records, their bodies by URL, and the builders."""

    records: list[bytes]
    bodies: dict[str, bytes]
    record: Callable[..., bytes]
    body: Callable[..., bytes]
    packed: Callable[..., bytes]
    containers: dict[str, Callable[[], bytes]]


@pytest.fixture(scope="session")
def made() -> Made:
    return Made(PLAIN, TRUTH, raw_record, body_of, packed, CONTAINERS)
