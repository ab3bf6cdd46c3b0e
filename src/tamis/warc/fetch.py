"""Fetching over https: whole files, resumed where they broke off, politely, and never an error page for a WARC."""

from __future__ import annotations

import email.utils
import http.client
import random
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from tamis.errors import InputError
from tamis.warc.repair import GZIP_MAGIC
from tamis.warc.sniff import kind_of

USER_AGENT = "tamis/0.1 (corpus curation; +https://commoncrawl.org/faq)"
_CHUNK = 1 << 20
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)")
_DAMAGE = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Politeness:
    """How often and how long a host is asked again.

    attempts: tries without a single new byte before a file is given up.
    first_wait, longest_wait: seconds; waits double between them with full jitter, and never undercut Retry-After
        (itself believed up to `longest_retry_after` seconds).
    forbidden: 403 answers in a row after which a host is left alone: Common Crawl blocks clients that go on.
    timeout: seconds without a byte.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_retry_after: float = 600.0
    forbidden: int = 3
    timeout: float = 60.0


class Breaker:
    """Counts 403 answers in a row by host, shared by the threads of a process; opens for good after `limit`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count: dict[str, int] = {}

    def check(self, host: str, limit: int) -> None:
        """Raise InputError where the host has refused `limit` times in a row."""
        with self._lock:
            if self._count.get(host, 0) >= limit:
                raise InputError(
                    f"{host} refuses requests (403, {limit} times in a row).",
                    "Wait an hour and lower the number of workers; a host that is asked on blocks for longer.",
                )

    def note(self, host: str, status: int) -> None:
        """Count an answer."""
        with self._lock:
            self._count[host] = self._count.get(host, 0) + 1 if status == 403 else 0


_BREAKER = Breaker()


@dataclass(frozen=True, slots=True)
class _Pause:
    """Why a try brought nothing, and how long the host wants to be left alone."""

    reason: str
    seconds: float = 0.0


def fetch(
    url: str,
    path: Path | str,
    *,
    politeness: Politeness | None = None,
    breaker: Breaker | None = None,
    seed: int = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download `url` to `path` by way of `path`.part, resuming what is there; return the path.

    The file appears under its name only when whole (its length is the one announced) and when its content is what
    its name says: gzip for .gz, and no XML or HTML error page under a WARC's name. Waits between tries are drawn from
    `seed` and the URL. Raises InputError where the host refuses, has no such file, or gives up on too many tries.
    """
    rules, guard = politeness or Politeness(), breaker or _BREAKER
    target = Path(path)
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    dice = random.Random(f"{seed} {url}")
    failures, reason = 0, ""
    while failures < rules.attempts:
        guard.check(urlsplit(url).netloc, rules.forbidden)
        before = part.stat().st_size if part.exists() else 0
        outcome = _attempt(url, part, target.name, rules, guard)
        if outcome is None:
            part.replace(target)
            return target
        reason = outcome.reason
        after = part.stat().st_size if part.exists() else 0
        failures = failures + 1 if after <= before else 0
        wait = dice.uniform(0, min(rules.longest_wait, rules.first_wait * 2.0**failures))
        sleep(max(wait, min(outcome.seconds, rules.longest_retry_after)))
    raise InputError(
        f"{url} could not be fetched in {rules.attempts} tries: {reason}.",
        f"Run the same command again later; what arrived is kept in {part}.",
    )


def remote_size(
    url: str, *, politeness: Politeness | None = None, sleep: Callable[[float], None] = time.sleep
) -> int | None:
    """Return the size in bytes that a server states for `url`, by a HEAD request; None where it has no such file.

    Raises OSError where the server cannot be reached or will not say.
    """
    rules = politeness or Politeness()
    for attempt in range(rules.attempts):
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": USER_AGENT})
        try:
            with urllib.request.urlopen(request, timeout=rules.timeout) as answer:
                return int(answer.headers["Content-Length"])
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                return None
            if error.code not in _RETRIED or attempt + 1 == rules.attempts:
                raise OSError(f"HTTP status {error.code}") from error
            sleep(max(_retry_after(error.headers.get("Retry-After", "")), rules.first_wait * 2**attempt))
        except TypeError as error:
            raise OSError("the server does not state the size") from error
    return None


def _attempt(url: str, part: Path, name: str, rules: Politeness, guard: Breaker) -> _Pause | None:
    """Try once; return None when `part` holds the whole file."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": USER_AGENT} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=rules.timeout) as answer:
            guard.note(urlsplit(url).netloc, answer.status)
            return _receive(answer, part, name, have)
    except urllib.error.HTTPError as error:
        with error:
            guard.note(urlsplit(url).netloc, error.code)
            return _refused(url, error, part, name, have)
    except _DAMAGE as error:
        return _Pause(f"{type(error).__name__}: {error}")


def _receive(answer: http.client.HTTPResponse, part: Path, name: str, have: int) -> _Pause | None:
    span = _RANGE.match(answer.headers.get("Content-Range") or "")
    # A server that ignores the range, or answers another one, sends bytes that must not be appended.
    resumed = answer.status == 206 and span is not None and int(span[1]) == have
    length = answer.headers.get("Content-Length") or ""
    total = (int(length) + (have if resumed else 0)) if length.isdigit() else None
    if answer.status == 206 and not resumed:
        part.unlink(missing_ok=True)
        return _Pause("another byte range than asked for")
    with part.open("ab" if resumed else "wb") as file:
        while piece := answer.read(_CHUNK):
            file.write(piece)
    size = part.stat().st_size
    if total is not None and size != total:
        if size > total:
            part.unlink()
        return _Pause(f"{size} of {total} bytes arrived")
    return _judge(part, name)


def _judge(part: Path, name: str) -> _Pause | None:
    """Return None where the content is what the name says; otherwise drop it, so that nobody resumes an error page."""
    with part.open("rb") as stream:
        kind = _mismatch(stream, name)
    if kind:
        part.unlink()
        return _Pause(f"the body looks like {kind}")
    return None


def _mismatch(stream: BinaryIO, name: str) -> str:
    kind = kind_of(stream)
    if name.endswith(".gz") and stream.read(3) != GZIP_MAGIC:
        return kind
    wanted = ".warc" in name or ".wet" in name or ".arc" in name or ".paths" in name
    return kind if kind == "empty" or (wanted and kind in ("xml", "html")) else ""


def _refused(url: str, error: urllib.error.HTTPError, part: Path, name: str, have: int) -> _Pause | None:
    if error.code == 416 and have:
        # Nothing lies beyond what is here: the file is whole, or another one than was begun.
        span = re.match(r"bytes \*/(\d+)", error.headers.get("Content-Range") or "")
        if span and int(span[1]) == have:
            return _judge(part, name)
        part.unlink()
        return _Pause("the file changed while it was fetched")
    if error.code in _RETRIED or error.code == 403:
        return _Pause(f"HTTP {error.code}", _retry_after(error.headers.get("Retry-After") or ""))
    raise InputError(f"{url} cannot be fetched: HTTP {error.code} {error.reason}.", "Check the address.")


def _retry_after(value: str) -> float:
    """Return the seconds a Retry-After header asks for: it holds a number, or a date."""
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
