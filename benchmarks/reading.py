"""Reading beside bare FastWARC, in turns: `python benchmarks/reading.py [--pages 600] [--data FOLDER] [--rounds 7]`.

Bare is `ArchiveIterator(parse_http=False)` and `.reader.read()` of every record: no verified end of file, no status,
no charset, no content decoding. Ours is `tamis.warc.reader.Reader`. Best CPU time of all rounds; MB of records.

crawl: real pages of every size (on average about what Common Crawl's are), each with its request and metadata records.
pages: the same without them. small: pages under 60 kB with both records; the most that framing can cost.
damaged: `crawl`, with one member in a hundred overwritten; compared with ours on `crawl`.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fastwarc.warc import ArchiveIterator

from tamis.warc.reader import Reader

DATA = Path(__file__).resolve().parents[1] / "../shared/data"
RESPONSE = (
    "HTTP/1.1 200 OK\r\nDate: Mon, 05 Jan 2026 00:00:00 GMT\r\nContent-Type: text/html; charset=UTF-8\r\n"
    "Server: nginx\r\nX-Crawler-Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nVary: Accept-Encoding\r\n"
    "Cache-Control: no-cache, private\r\nX-Crawler-Content-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
)
REQUEST = (
    "GET /page HTTP/1.1\r\nUser-Agent: CCBot/2.0 (https://commoncrawl.org/faq/)\r\nAccept: text/html,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\nIf-Modified-Since: Sun, 01 Jan 2025 00:00:00 GMT\r\n"
    "Accept-Encoding: br,gzip\r\nHost: example.org\r\nConnection: Keep-Alive\r\n\r\n"
)
METADATA = b'fetchTimeMs: 120\r\ncharset-detected: UTF-8\r\nlanguages-cld2: {"reliable":true,"text-bytes":3000}\r\n\r\n'


def record(kind: str, number: int, block: bytes, chance: random.Random) -> bytes:
    """Return a record with the fields Common Crawl writes, gzipped."""
    media = "application/warc-fields" if kind == "metadata" else f"application/http; msgtype={kind}"
    lines = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        "WARC-Date: 2026-01-05T00:00:00Z",
        f"WARC-Record-ID: <urn:uuid:{chance.randbytes(16).hex()}>",
        f"Content-Length: {len(block)}",
        f"Content-Type: {media}",
        f"WARC-Warcinfo-ID: <urn:uuid:{chance.randbytes(16).hex()}>",
        f"WARC-Concurrent-To: <urn:uuid:{chance.randbytes(16).hex()}>",
        "WARC-IP-Address: 192.0.2.1",
        f"WARC-Target-URI: https://example.org/page/{number}",
        f"WARC-Payload-Digest: sha1:{chance.randbytes(20).hex()}",
        f"WARC-Block-Digest: sha1:{chance.randbytes(20).hex()}",
        "WARC-Identified-Payload-Type: text/html",
    ]
    return gzip.compress("\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n", 6, mtime=0)


def pages(data: Path, count: int) -> list[bytes]:
    """Return real pages of the shared collections, in a seeded order."""
    paths = sorted(path for path in data.rglob("*.html.gz"))
    random.Random(0).shuffle(paths)
    return [gzip.decompress(path.read_bytes()) for path in paths[:count]]


def members(bodies: list[bytes], *, beside: bool) -> Iterator[bytes]:
    chance = random.Random(0)
    for number, body in enumerate(bodies):
        if beside:
            yield record("request", number, REQUEST.encode(), chance)
        yield record("response", number, RESPONSE.format(length=len(body)).encode() + body, chance)
        if beside:
            yield record("metadata", number, METADATA, chance)


def damaged(pieces: list[bytes]) -> bytes:
    chance = random.Random(1)
    spoilt = set(chance.sample(range(len(pieces)), len(pieces) // 100))
    return b"".join(
        piece[:40] + chance.randbytes(16) + piece[56:] if number in spoilt else piece
        for number, piece in enumerate(pieces)
    )


def bare(data: bytes) -> int:
    return sum(len(each.reader.read()) for each in ArchiveIterator(io.BytesIO(data), parse_http=False))


def ours(data: bytes) -> int:
    return sum(len(each.payload) for each in Reader(io.BytesIO(data)))


def best(tasks: dict[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Return the least CPU seconds of each task; they take turns, so that a busy machine slows all alike."""
    found = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            began = time.process_time()
            task()
            found[name] = min(found[name], time.process_time() - began)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=600)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    bodies = pages(given.data, given.pages)
    small = [body for body in bodies if len(body) < 60_000]
    shapes = {
        "crawl": list(members(bodies, beside=True)),
        "pages": list(members(bodies, beside=False)),
        "small": list(members(small, beside=True)),
    }
    for name, pieces in shapes.items():
        data = b"".join(pieces)
        size = bare(data)
        tasks = {"bare": lambda data=data: bare(data), "ours": lambda data=data: ours(data)}
        if name == "crawl":
            spoilt = damaged(pieces)
            tasks["damaged"] = lambda data=spoilt: ours(data)
        took = best(tasks, given.rounds)
        rates = {f"{task} MB/s": round(size / seconds / 1e6) for task, seconds in took.items()}
        line = {
            "shape": name,
            "records": len(pieces),
            "page kB": round(size / 1000 / (len(pieces) / (1 + 2 * (name != "pages")))),
        }
        line |= rates | {"of bare": round(took["bare"] / took["ours"], 3)}
        if name == "crawl":
            line["damaged of clean"] = round(took["ours"] / took["damaged"], 3)
        print(json.dumps(line))


if __name__ == "__main__":
    main()
