"""Fetching over https: whole files, resumed where they broke off, politely, and never an error page for a WARC."""

from __future__ import annotations

import email.utils
import http.client
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from tamis.errors import InputError
from tamis.warc.gate import Gate, LocalGate
from tamis.warc.repair import GZIP_MAGIC
from tamis.warc.sniff import kind_of

USER_AGENT = "tamis/0.1 (corpus curation; +https://commoncrawl.org/faq)"
_CHUNK = 1 << 20
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_LATER = frozenset(f"HTTP {status}" for status in _RETRIED)
_RANGE = re.compile(r"bytes (\d+)-\d*/(\d+|\*)")
_DAMAGE = (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Politeness:
    """How often and how long a host is asked again.

    attempts: tries without a single new byte before a file is given up; `patience` where the host does answer, but
        with "later" (503, 429 and the like): a crowded bucket does so for most requests.
    first_wait, longest_wait: seconds; waits double between them with full jitter. How long a host asked to be left
        alone (Retry-After) is the gate's matter, because it holds for everybody.
    timeout: seconds without a byte.
    """

    attempts: int = 6
    patience: int = 30
    first_wait: float = 1.0
    longest_wait: float = 60.0
    timeout: float = 60.0


_GATE = LocalGate()


def fetch(
    url: str,
    path: Path | str,
    *,
    politeness: Politeness | None = None,
    gate: Gate | None = None,
    seed: int = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Download `url` to `path` by way of `path`.part, resuming what is there; return the path.

    The file appears under its name only when whole (its length is the one announced) and when its content is what
    its name says: gzip for .gz, and no XML or HTML error page under a WARC's name. Waits between tries are drawn from
    `seed` and the URL. Raises InputError where the host refuses, has no such file, or gives up on too many tries.
    """
    rules, turns = politeness or Politeness(), gate or _GATE
    target = Path(path)
    part = target.with_name(f"{target.name}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    dice = random.Random(f"{seed} {url}")
    failures, reason = 0, ""
    while failures < _most(reason, rules):
        _wait(turns, url, sleep)
        before = part.stat().st_size if part.exists() else 0
        outcome = _attempt(url, part, target.name, rules, turns)
        if outcome is None:
            part.replace(target)
            return target
        reason = outcome
        after = part.stat().st_size if part.exists() else 0
        failures = failures + 1 if after <= before else 0
        sleep(_jitter(dice, failures, rules))
    raise InputError(
        f"{url} could not be fetched in {failures} tries: {reason}.",
        f"Run the same command again later; what arrived is kept in {part}.",
    )


def _jitter(dice: random.Random, failures: int, rules: Politeness) -> float:
    return dice.uniform(0, min(rules.longest_wait, rules.first_wait * 2.0**failures))


def _most(reason: str, rules: Politeness) -> int:
    """Return how many tries may fail: a host that says "later" is alive."""
    return rules.patience if reason in _LATER else rules.attempts


def _wait(gate: Gate, url: str, sleep: Callable[[float], None]) -> None:
    """Take the host's next turn and wait for it."""
    wait = gate.take(urlsplit(url).netloc)
    if wait > 0:
        sleep(wait)


def fetch_range(
    url: str,
    start: int,
    end: int,
    *,
    politeness: Politeness | None = None,
    gate: Gate | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> bytes:
    """Return the bytes [start, end) of `url`, fewer where the file ends before.

    Raises InputError where the host refuses or gives up on too many tries, and FileNotFoundError where it has no such
    file. A server that ignores ranges is read up to `end` and no further.
    """
    rules, turns = politeness or Politeness(), gate or _GATE
    dice, have, reason, failures = random.Random(f"{url} {start}"), b"", "", 0
    while failures < _most(reason, rules):
        _wait(turns, url, sleep)
        try:
            have += _receive_range(url, start + len(have), end, rules, turns)
            return have
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 410):
                    raise FileNotFoundError(url) from error
                if error.code == 416:
                    return have
                reason = _answered(url, error, turns)
        except _CutError as cut:
            have, reason = have + cut.data, "the connection ended early"
            failures = -1 if cut.data else failures  # counted are tries without a single new byte
        except _DAMAGE as error:
            reason = f"{type(error).__name__}: {error}"
        failures += 1
        sleep(_jitter(dice, failures, rules))
    raise InputError(
        f"Bytes {start} to {end} of {url} could not be fetched in {failures} tries: {reason}.",
        "Run the same command again later; what is committed stays.",
    )


class _CutError(Exception):
    """A body ended before its length; `data` is what arrived."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


def _receive_range(url: str, start: int, end: int, rules: Politeness, gate: Gate) -> bytes:
    headers = {"User-Agent": USER_AGENT, "Range": f"bytes={start}-{end - 1}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=rules.timeout) as answer:
        gate.note(urlsplit(url).netloc, answer.status)
        span = _RANGE.match(answer.headers.get("Content-Range") or "")
        whole = answer.status != 206 or span is None
        if not whole and span and int(span[1]) != start:
            raise http.client.HTTPException("another byte range than asked for")
        length = answer.headers.get("Content-Length") or ""
        wanted = end if whole else end - start
        if length.isdigit():
            wanted = min(wanted, int(length))
        try:
            data: bytes = answer.read(wanted)
        except http.client.IncompleteRead as cut:
            data = cut.partial
        data = data[start:] if whole else data
        if len(data) < wanted - (start if whole else 0):
            raise _CutError(data)
        return data


def remote_size(
    url: str,
    *,
    politeness: Politeness | None = None,
    gate: Gate | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int | None:
    """Return the size in bytes that a server states for `url`, by a HEAD request; None where it has no such file.

    Raises OSError where the server cannot be reached or will not say, and InputError where it refuses everything.
    """
    rules, turns = politeness or Politeness(), gate or _GATE
    dice, reason, failures = random.Random(url), "", 0
    while failures < _most(reason, rules):
        _wait(turns, url, sleep)
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": USER_AGENT})
        try:
            with urllib.request.urlopen(request, timeout=rules.timeout) as answer:
                turns.note(urlsplit(url).netloc, answer.status)
                return int(answer.headers["Content-Length"])
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                return None
            try:
                reason = _answered(url, error, turns)
            except InputError:
                raise OSError(f"HTTP status {error.code}") from error
        except TypeError as error:
            raise OSError("the server does not state the size") from error
        failures += 1
        sleep(_jitter(dice, failures, rules))
    raise OSError(f"the server does not say its size in {failures} tries: {reason}")


def _attempt(url: str, part: Path, name: str, rules: Politeness, gate: Gate) -> str | None:
    """Try once; return None when `part` holds the whole file, else why it does not."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": USER_AGENT} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=rules.timeout) as answer:
            gate.note(urlsplit(url).netloc, answer.status)
            return _receive(answer, part, name, have)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(url, error, part, name, have, gate)
    except _DAMAGE as error:
        return f"{type(error).__name__}: {error}"


def _receive(answer: http.client.HTTPResponse, part: Path, name: str, have: int) -> str | None:
    span = _RANGE.match(answer.headers.get("Content-Range") or "")
    # A server that ignores the range, or answers another one, sends bytes that must not be appended.
    resumed = answer.status == 206 and span is not None and int(span[1]) == have
    length = answer.headers.get("Content-Length") or ""
    total = (int(length) + (have if resumed else 0)) if length.isdigit() else None
    if answer.status == 206 and not resumed:
        part.unlink(missing_ok=True)
        return "another byte range than asked for"
    with part.open("ab" if resumed else "wb") as file:
        while piece := answer.read(_CHUNK):
            file.write(piece)
    size = part.stat().st_size
    if total is not None and size != total:
        if size > total:
            part.unlink()
        return f"{size} of {total} bytes arrived"
    return _judge(part, name)


def _judge(part: Path, name: str) -> str | None:
    """Return None where the content is what the name says; otherwise drop it, so that nobody resumes an error page."""
    with part.open("rb") as stream:
        kind = _mismatch(stream, name)
    if kind:
        part.unlink()
        return f"the body looks like {kind}"
    return None


def _mismatch(stream: BinaryIO, name: str) -> str:
    kind = kind_of(stream)
    if name.endswith(".gz") and stream.read(3) != GZIP_MAGIC:
        return kind
    wanted = ".warc" in name or ".wet" in name or ".arc" in name or ".paths" in name
    return kind if kind == "empty" or (wanted and kind in ("xml", "html")) else ""


def _refused(url: str, error: urllib.error.HTTPError, part: Path, name: str, have: int, gate: Gate) -> str | None:
    if error.code == 416 and have:
        # Nothing lies beyond what is here: the file is whole, or another one than was begun.
        span = re.match(r"bytes \*/(\d+)", error.headers.get("Content-Range") or "")
        if span and int(span[1]) == have:
            return _judge(part, name)
        part.unlink()
        return "the file changed while it was fetched"
    return _answered(url, error, gate)


def _answered(url: str, error: urllib.error.HTTPError, gate: Gate) -> str:
    """Tell the gate of an answer that is none, and return what it was. Raises InputError where asking on is no use."""
    pause = _retry_after(error.headers.get("Retry-After") or "") if error.code in _RETRIED else 0.0
    gate.note(urlsplit(url).netloc, error.code, pause)
    if error.code in _RETRIED or error.code == 403:
        return f"HTTP {error.code}"
    raise InputError(f"{url} cannot be fetched: HTTP {error.code} {error.reason}.", "Check the address.")


def _retry_after(value: str) -> float:
    """Return the seconds a Retry-After header asks for: it holds a number, or a date."""
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
