"""Downloads over HTTP that go on where they were cut: what `tamis.assets` fetches models with."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tamis import errors

ATTEMPTS = 3
TIMEOUT_SECONDS = 60
_CHUNK = 1 << 20


def download(url: str, part: Path, *, tell: Callable[[int, int], None] | None = None) -> None:
    """Write what stands at `url` into `part`, going on where an earlier attempt at the same file was cut.

    Whether it is the same file is the server's word: its ETag or date of change is kept beside the part. A server that
    gives neither, or does not know ranges, sends it all again. `tell` gets bytes so far and in all (0: not known).

    Raises:
        ModelError: the server refuses, or the connection is cut `ATTEMPTS` times; what came stays in `part`.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    problem = ""
    for _ in range(ATTEMPTS):
        try:
            problem = _attempt(url, part, tell)
        except HTTPError as error:
            if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise errors.ModelError(f"{url}: HTTP {error.code} {error.reason}.", "Check the address.") from error
            problem = "the server does not have the rest"
            _forget(part)
        except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
            problem = str(error) or type(error).__name__
        except OSError as error:
            # What urllib raises for a name that is not found or a host that refuses; its reason is an OSError itself.
            if getattr(error, "reason", None) is None:
                raise
            problem = str(getattr(error, "reason", error))
        if not problem:
            _note(part).unlink(missing_ok=True)
            return
    size = part.stat().st_size if part.exists() else 0
    raise errors.ModelError(
        f"{url} could not be fetched: {problem}.", f"{size:,} bytes are kept; the same command goes on from there."
    )


def _attempt(url: str, part: Path, tell: Callable[[int, int], None] | None) -> str:
    """Fetch once; return what is wrong with what came, or nothing."""
    mark = _noted(part)
    held = part.stat().st_size if part.exists() and mark else 0
    headers = {"User-Agent": "tamis", "Accept-Encoding": "identity"}
    if held:
        headers |= {"Range": f"bytes={held}-", "If-Range": mark}
    with urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS) as answer:
        begin, total = _extent(answer, held)
        _note(part).write_text(json.dumps({"mark": _mark(answer)}), "utf-8")
        with part.open("r+b" if begin else "wb") as file:
            file.truncate(begin)
            file.seek(begin)
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                if tell:
                    tell(file.tell(), total)
            size = file.tell()
    return f"cut after {size:,} of {total:,} bytes" if total and size < total else ""


def _extent(answer: Any, held: int) -> tuple[int, int]:
    """Where in the file the answer begins, and how long the file is (0: not said)."""
    stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if answer.status == http.client.PARTIAL_CONTENT and stated and int(stated[1]) == held:
        return held, int(stated[2])
    return 0, int(answer.headers.get("Content-Length") or 0)


def _mark(answer: Any) -> str:
    """What tells this version of the file from another; a weak ETag does not, says RFC 9110."""
    tag = answer.headers.get("ETag", "")
    return str(tag) if tag and not tag.startswith("W/") else str(answer.headers.get("Last-Modified", ""))


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _noted(part: Path) -> str:
    try:
        return str(json.loads(_note(part).read_text("utf-8"))["mark"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)
