"""Scorers: one interface to every model that scores documents, and what a path holds, told without loading it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.errors import ConfigError, ModelError
from tamis.scoring.options import ScoringOptions

# The file that `tamis train scorer` leaves in a folder: what the head or classifier is, and its card.
CARD = "scorer.json"
# Digits after the point: below them bf16 and the order of additions decide, and bytes would differ from run to run.
DECIMALS = 4
_HASHED = ("*.json", "*.safetensors", "*.bin", "*.ftz", "*.model")


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The scores of texts, each array of shape (texts,).

    scores: float64, NaN for a text without tokens; windows: int32, how many were looked at;
    coverage: float32, the share of its tokens that they hold, in [0, 1].
    """

    scores: npt.NDArray[np.float64]
    windows: npt.NDArray[np.int32]
    coverage: npt.NDArray[np.float32]

    def columns(self) -> list[pa.Array]:
        """Return score (float32, rounded, null for NaN), windows and coverage as Arrow arrays."""
        # Adding zero makes -0.0 and 0.0, which differ in bytes, one.
        rounded = (np.round(self.scores, DECIMALS) + 0.0).astype(np.float32)
        return [pa.array(rounded, from_pandas=True), pa.array(self.windows), pa.array(self.coverage)]


class Scorer(Protocol):
    """A model that scores texts. `higher_is_better` says which end of its scores is the good one."""

    higher_is_better: bool

    def stream(self, batches: Iterable[pa.LargeStringArray]) -> Iterator[Scored]:
        """Yield the scores of each batch of texts, in order; what stands beside a text does not change its score
        beyond rounding."""
        ...


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


def load(options: ScoringOptions, device: str = "cpu") -> Scorer:
    """Return a scorer on a device ("cpu", "cuda:0"). Raises ModelError, ConfigError or MissingExtraError."""
    found = inspect(options)
    if found.kind == "fasttext":
        from tamis.scoring.fasttext_quality import FastTextScorer

        return FastTextScorer(found.path, label=options.label)
    from tamis.scoring.engine import Engine

    return Engine(_net(found, options, device), options, device)


def _net(found: Found, options: ScoringOptions, device: str) -> Any:
    from tamis.scoring import causal, classifier, embedding

    maker = {"classifier": classifier.load, "embedding": embedding.load, "causal": causal.load}[found.kind]
    return maker(found.path, options, device)
