"""Where a run's input lies, noted beside its output, so that a later command on the folder need not be told again."""

from __future__ import annotations

import json
from pathlib import Path

from tamis.errors import InputError
from tamis.pipeline.storage import Storage

NAME = "input.json"


def note(storage: Storage, manifest: str) -> None:
    """Write down what a run was given, a local path in full: the same bytes wherever the output lies."""
    given = manifest if "://" in manifest else str(Path(manifest).resolve())
    storage.write(NAME, (json.dumps({"manifest": given}, ensure_ascii=False) + "\n").encode())


def recall(storage: Storage) -> str:
    """Return what the run of a folder was given. Raises InputError where nothing is noted."""
    noted = storage.read_json(NAME)
    if not isinstance(noted, dict) or not isinstance(noted.get("manifest"), str):
        hint = "Name its manifest, as `tamis run` had it."
        raise InputError(f"{storage.root} does not say what it was made from.", hint)
    manifest: str = noted["manifest"]
    return manifest
