"""Verified: intermediate files are compared with the checksums of their receipts when a step opens them.

A file that is not what was committed is named and removed; its receipt then has no file, so that the run redoes that
unit and no other, and goes on. Each worker reads a file once for this, however many shards it then reads it for.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import xxhash

from tamis.errors import OutputError
from tamis.pipeline.manifest import NAME
from tamis.pipeline.storage import Storage, patiently

_PIECE = 1 << 22


class DamagedError(OutputError):
    """An intermediate file is gone or is not what was committed; `path` names it."""

    def __init__(self, message: str, hint: str, path: str) -> None:
        super().__init__(message, hint)
        self.args = (message, hint, path)
        self.path = path


def opened(storage: Storage, path: str) -> pa.NativeFile:
    """Open a committed file for random reading. Raises DamagedError, and removes it, where its bytes have changed.

    Files no receipt names are opened as they are; so are those of object stores, which check what they hold.
    """
    if not storage.remote:
        place = Path(storage.where(path))
        try:
            state = patiently(place.stat)
        except FileNotFoundError as error:
            raise DamagedError(f"{path} is gone.", _AGAIN, path) from error
        _check(storage.where(), path, state.st_size, state.st_mtime_ns)
    return storage.open(path)


_AGAIN = "Run the same command again: what made it is redone, and nothing else."


@lru_cache(maxsize=1 << 20)
def _check(root: str, path: str, size: int, changed: int) -> None:
    """Compare one state of a file with its receipt; cached, so that it is read once per process."""
    manifest = Path(root, NAME)
    if not manifest.exists():
        return
    state = manifest.stat()
    wanted = _entries(root, state.st_size, state.st_mtime_ns).get(path)
    if wanted is None or wanted == (size, _checksum(Path(root, path))):
        return
    Path(root, path).unlink(missing_ok=True)
    raise DamagedError(f"{path} was damaged since it was written, and has been removed.", _AGAIN, path)


@lru_cache(maxsize=2)
def _entries(root: str, size: int, changed: int) -> dict[str, tuple[int, str]]:
    """Return size and checksum of every committed file below `work/` and `signatures/`, by path."""
    found: dict[str, tuple[int, str]] = {}
    with Path(root, NAME).open("rb") as lines:
        for line in lines:
            try:
                files = json.loads(line).get("files", [])
            except ValueError:
                continue  # torn by a kill, and so never committed
            for entry in files:
                if entry["path"].startswith(("work/", "signatures/")):
                    found[entry["path"]] = entry["bytes"], entry["checksum"]
    return found


def _checksum(path: Path) -> str:
    hashed = xxhash.xxh3_64()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            hashed.update(piece)
    return hashed.hexdigest()
