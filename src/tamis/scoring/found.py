"""Models on disk: what a path holds, told without loading it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tamis.errors import ConfigError, ModelError
from tamis.scoring.options import ScoringOptions

# The file that `tamis train scorer` leaves in a folder: what the head or classifier is, and its card.
CARD = "scorer.json"
_HASHED = ("*.json", "*.safetensors", "*.bin", "*.ftz", "*.model")


@dataclass(frozen=True, slots=True)
class Found:
    """What a path holds: its kind, its checksum, and whether a high score of it is a good one."""

    path: Path
    kind: str
    checksum: str

    @property
    def higher_is_better(self) -> bool:
        """Whether high scores are good ones: those of all kinds but bits per byte."""
        return self.kind != "causal"


def inspect(options: ScoringOptions) -> Found:
    """Return what a model path holds, without loading it. Raises ModelError or ConfigError."""
    path = Path(options.model)
    if not path.exists():
        raise ModelError(
            f"There is no model at {path}.", "Give a local folder, or a fastText file; nothing is fetched."
        )
    kind = _kind(path) if options.kind == "auto" else options.kind
    if kind == "embedding" and not (path / CARD).is_file():
        raise ModelError(f"{path} has no trained head.", "Train one on it with `tamis train scorer`.")
    return Found(path, kind, checksum(path))


def _kind(path: Path) -> str:
    if path.is_file():
        return "fasttext"
    if (path / CARD).is_file():
        return str(read_card(path)["kind"])
    names = _json(path / "config.json").get("architectures") or [""]
    for end, kind in (
        ("ForSequenceClassification", "classifier"),
        ("ForCausalLM", "causal"),
        ("LMHeadModel", "causal"),
    ):
        if names[0].endswith(end):
            return kind
    raise ConfigError(
        f"{path} holds {names[0] or 'a model that does not say what it is'}, which scores nothing by itself.",
        "Give a sequence classifier, a causal language model, or train a head with `tamis train scorer`.",
    )


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of a trained scorer. Raises ModelError."""
    return _json(folder / CARD)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Give the whole folder of a model.") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no settings.", "Copy the model's folder anew.")
    return found


def checksum(path: Path) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a model's files, names included, wherever the folder lies."""
    files = [path] if path.is_file() else sorted({each for form in _HASHED for each in path.rglob(form)})
    digest = hashlib.sha256()
    for each in files:
        stat = each.stat()
        name = "" if path.is_file() else each.relative_to(path).as_posix()
        digest.update(f"{name} {_of_file(str(each), stat.st_size, stat.st_mtime_ns)}\n".encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=256)
def _of_file(path: str, size: int, mtime_ns: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
