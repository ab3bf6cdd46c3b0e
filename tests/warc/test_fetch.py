"""Fetching from a server on this machine that fails in every way Common Crawl's does."""

from __future__ import annotations

import gzip
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tamis.errors import InputError
from tamis.warc.fetch import Politeness, fetch, fetch_range, remote_size
from tamis.warc.gate import LocalGate

WHOLE = gzip.compress(b"WARC/1.0\r\n" + random.Random(0).randbytes(300_000), mtime=0)
SLOW_DOWN = b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>'

Answer = Callable[[BaseHTTPRequestHandler, int], None]


class Server:
    """Answers the n-th request with the n-th script entry, and the rest with the last."""

    def __init__(self) -> None:
        self.script: list[Answer] = [whole]
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.headers.get("Range") or "")
                start = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
                outer.script[min(len(outer.requests), len(outer.script)) - 1](self, start)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/crawl/x.warc.gz"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in ({"Content_Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def whole(handler: BaseHTTPRequestHandler, start: int) -> None:
    if start >= len(WHOLE):
        send(handler, 416, b"", Content_Range=f"bytes */{len(WHOLE)}")
    elif start:
        send(handler, 206, WHOLE[start:], Content_Range=f"bytes {start}-{len(WHOLE) - 1}/{len(WHOLE)}")
    else:
        send(handler, 200, WHOLE)


def half(handler: BaseHTTPRequestHandler, start: int) -> None:
    left = WHOLE[start:]
    status = {"Content_Range": f"bytes {start}-{len(WHOLE) - 1}/{len(WHOLE)}"} if start else {}
    send(handler, 206 if start else 200, left[: len(left) // 2], Content_Length=str(len(left)), **status)


def whole_range(handler: BaseHTTPRequestHandler, start: int) -> None:
    end = int((handler.headers.get("Range") or "bytes=0-0").rpartition("-")[2]) + 1
    if start >= len(WHOLE):
        send(handler, 416, b"", Content_Range=f"bytes */{len(WHOLE)}")
    else:
        body = WHOLE[start:end]
        send(handler, 206, body, Content_Range=f"bytes {start}-{start + len(body) - 1}/{len(WHOLE)}")


def cut_range(handler: BaseHTTPRequestHandler, start: int) -> None:
    end = int((handler.headers.get("Range") or "bytes=0-0").rpartition("-")[2]) + 1
    body = WHOLE[start:end]
    head = {"Content_Range": f"bytes {start}-{end - 1}/{len(WHOLE)}", "Content_Length": str(len(body))}
    send(handler, 206, body[: len(body) // 2 + 1], **head)


def slow_down(handler: BaseHTTPRequestHandler, start: int) -> None:
    send(handler, 503, SLOW_DOWN, Retry_After="7")


def error_page(handler: BaseHTTPRequestHandler, start: int) -> None:
    send(handler, 200, SLOW_DOWN)


def no_ranges(handler: BaseHTTPRequestHandler, start: int) -> None:
    send(handler, 200, WHOLE)


def forbidden(handler: BaseHTTPRequestHandler, start: int) -> None:
    send(handler, 403, b"<html>no</html>")


def missing(handler: BaseHTTPRequestHandler, start: int) -> None:
    send(handler, 404, b"<html>no</html>")


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def get(server: Server, path: Path, clock: Clock | None = None, gate: LocalGate | None = None) -> Path:
    clock = clock or Clock()
    return fetch(
        server.url, path, politeness=Politeness(timeout=5), gate=gate or LocalGate(clock=clock), sleep=clock.sleep
    )


@pytest.mark.parametrize(
    "script",
    [
        [whole],
        [half, half, half, whole],
        [slow_down, slow_down, whole],
        [error_page, whole],
        [half, no_ranges],
        [half, slow_down, whole],
        [forbidden, whole],
    ],
    ids=lambda script: " ".join(answer.__name__ for answer in script),
)
def test_the_whole_file_arrives(server: Server, tmp_path: Path, script: list[Answer]) -> None:
    server.script = script
    path = get(server, tmp_path / "x.warc.gz")
    assert path.read_bytes() == WHOLE
    assert [found.name for found in tmp_path.iterdir()] == ["x.warc.gz"]


def test_what_arrived_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.script = [half, whole]
    get(server, tmp_path / "x.warc.gz")
    assert server.requests == ["", f"bytes={len(WHOLE) // 2}-"]


def test_a_part_that_is_whole_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.warc.gz.part").write_bytes(WHOLE)
    assert get(server, tmp_path / "x.warc.gz").read_bytes() == WHOLE


def test_waits_honour_retry_after_and_the_seed(server: Server, tmp_path: Path) -> None:
    server.script = [slow_down, slow_down, whole]
    clock = Clock()
    get(server, tmp_path / "a.warc.gz", clock)
    assert clock.now >= 14
    assert len(server.requests) == 3
    waits = []
    for name in "bc":
        server.script, server.requests, clock = [half, error_page, whole], [], Clock()
        get(server, tmp_path / f"{name}.warc.gz", clock)
        waits.append(clock.waits)
    assert waits[0] == waits[1]


def test_a_host_that_says_later_is_asked_more_often_than_a_dead_one(server: Server, tmp_path: Path) -> None:
    server.script = [*[slow_down] * 20, whole]
    assert get(server, tmp_path / "x.warc.gz").read_bytes() == WHOLE


def test_ranges_arrive_whole_from_servers_of_every_kind(server: Server) -> None:
    for script in ([whole_range], [no_ranges], [cut_range, whole_range], [slow_down, whole_range], [cut_range]):
        server.script, server.requests, clock = script, [], Clock()
        gate = LocalGate(clock=clock)
        found = fetch_range(server.url, 1000, 90_000, politeness=Politeness(timeout=5), gate=gate, sleep=clock.sleep)
        assert found == WHOLE[1000:90_000]
    server.script, end = [whole_range], len(WHOLE) + 500
    assert fetch_range(server.url, end - 600, end, gate=LocalGate()) == WHOLE[-100:]
    assert fetch_range(server.url, end, end + 9, gate=LocalGate()) == b""
    server.script = [missing]
    with pytest.raises(FileNotFoundError):
        fetch_range(server.url, 0, 9, gate=LocalGate())


def test_sizes_are_asked_for_again_and_refusals_end(server: Server) -> None:
    clock = Clock()
    server.script = [slow_down, whole]
    assert remote_size(server.url, gate=LocalGate(clock=clock), sleep=clock.sleep) == len(WHOLE)
    server.script, server.requests = [missing], []
    assert remote_size(server.url, gate=LocalGate()) is None
    server.script, server.requests = [forbidden], []
    with pytest.raises(InputError, match="403"):
        remote_size(server.url, gate=LocalGate(clock=clock), sleep=clock.sleep)
    assert len(server.requests) == 3


def test_error_pages_never_become_files(server: Server, tmp_path: Path) -> None:
    server.script = [error_page]
    with pytest.raises(InputError, match="looks like xml"):
        get(server, tmp_path / "x.warc.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_refusing_host_is_left_alone(server: Server, tmp_path: Path) -> None:
    server.script = [forbidden]
    gate = LocalGate()
    for _ in range(5):
        with pytest.raises(InputError, match="403"):
            get(server, tmp_path / "x.warc.gz", gate=gate)
    assert len(server.requests) == 3


def test_a_missing_file_is_told_at_once(server: Server, tmp_path: Path) -> None:
    server.script = [missing]
    with pytest.raises(InputError, match="404"):
        get(server, tmp_path / "x.warc.gz")
    assert len(server.requests) == 1


def test_a_dead_host_is_given_up(tmp_path: Path) -> None:
    waits: list[float] = []
    with pytest.raises(InputError, match="6 tries"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x", politeness=Politeness(timeout=1), sleep=waits.append)
    assert len(waits) == 6
