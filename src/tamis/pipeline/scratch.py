"""Scratch: a folder for one shard's temporary files, which also goes when its process was killed before it could."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = re.compile(r"tamis-[a-z]+-([0-9a-f]{8})-(\d+)-")


@contextmanager
def scratch_folder(purpose: str) -> Iterator[Path]:
    """Give an empty folder below the system's temporary one, removed with what is in it at the end.

    Folders that killed processes of this machine left there are removed first: a killed worker's can be large.
    """
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"tamis-{purpose}-{_place()}-{os.getpid()}-") as folder:
        yield Path(folder)


def _place() -> str:
    """Return a name for this machine and its numbering of processes: containers may share a temporary folder."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return f"{zlib.crc32(f'{platform.node()} {space}'.encode()):08x}"


def _sweep(root: Path) -> None:
    here = _place()
    for path in root.glob("tamis-*"):
        found = _NAME.match(path.name)
        if found and found[1] == here and not _lives(int(found[2])) and _is_own(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_own(path: Path) -> bool:
    try:
        return path.lstat().st_uid == os.getuid()
    except OSError:
        return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True
