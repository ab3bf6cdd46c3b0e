"""A server that fails as Common Crawl's does, and says when it was asked for what; a run whose memory is watched."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tamis.pipeline.guard import held

SLOW_DOWN = b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>'


class FakeCommonCrawl:
    """Serves a folder, ranges too. Of all answers a share `busy` is 503, and a share `cut` breaks off in the middle.

    log: (seconds, method, path, range) of every request, as the server saw them. refuse: answer 403 to everything.
    """

    def __init__(self, folder: Path, *, busy: float = 0.0, cut: float = 0.0, refuse: bool = False) -> None:
        self.log: list[tuple[float, str, str, str]] = []
        self._lock, self._dice = threading.Lock(), random.Random(0)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with outer._lock:
                    asked = self.headers.get("Range") or ""
                    outer.log.append((time.monotonic(), self.command, self.path, asked))
                    draw = outer._dice.random()
                if refuse:
                    return self.reply(403, b"<html>no</html>")
                if draw < busy:
                    return self.reply(503, SLOW_DOWN)
                path = folder / self.path.lstrip("/")
                if not path.is_file():
                    return self.reply(404, b"<html>none</html>")
                return self.file(path.read_bytes(), asked, cut=draw > 1 - cut)

            do_HEAD = do_GET  # noqa: N815

            def file(self, data: bytes, asked: str, *, cut: bool) -> None:
                if not asked:
                    return self.reply(200, data, cut=cut)
                first, _, last = asked.removeprefix("bytes=").partition("-")
                start, end = int(first), min(int(last) + 1 if last else len(data), len(data))
                if start >= len(data):
                    return self.reply(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                span = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
                return self.reply(206, data[start:end], span, cut=cut)

            def reply(self, status: int, body: bytes, more: dict[str, str] | None = None, cut: bool = False) -> None:
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | (more or {})).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body[: len(body) // 2] if cut else body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def most_in(self, seconds: float) -> int:
        """Return the most requests that arrived within so many seconds."""
        times = [entry[0] for entry in self.log]
        return max(sum(start <= each < start + seconds for each in times) for start in times)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def fakecc() -> Iterator[Any]:
    """Start such servers; they end with the test."""
    started: list[FakeCommonCrawl] = []

    def start(folder: Path, **faults: Any) -> FakeCommonCrawl:
        started.append(FakeCommonCrawl(folder, **faults))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="session")
def watched_run() -> Callable[..., tuple[int, int]]:
    """A function that does `tamis run` with these arguments, and returns its exit code and the most bytes that it and
    its children held at once."""

    def run(*arguments: str) -> tuple[int, int]:
        line = [sys.executable, "-m", "tamis", "run", *arguments]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
        most = 0

        def look() -> None:
            nonlocal most
            while process.poll() is None:
                most = max(most, held(process.pid))
                time.sleep(0.05)

        watcher = threading.Thread(target=look)
        watcher.start()
        code = process.wait()
        watcher.join()
        return code, most

    return run
