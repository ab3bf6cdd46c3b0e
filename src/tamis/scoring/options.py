"""What scoring can be told: which model, how texts are cut into windows, where it runs, and who stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis.bounds import Bound, PerLanguage, plain
from tamis.errors import ConfigError, unknown

KINDS = ("auto", "classifier", "embedding", "causal", "fasttext")
AGGREGATES = ("mean", "max", "length-weighted")
DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("auto", "fp32", "bf16")


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """How documents are scored and judged.

    model: a local folder of a Hugging Face model, a folder that `tamis train scorer` made, or a fastText file.
    kind: "classifier", "embedding" (with a trained head), "causal" (bits per byte) or "fasttext"; "auto" looks.
    name: the column of the score; `<name>_windows` and `<name>_coverage` stand beside it.
    label: whose probability is the score, where a classifier has several labels.
    window: tokens the model sees at a time, its own marks included; 0 means as many as it can take, at most 512.
    stride: text tokens from one window's start to the next; 0 means windows that do not overlap.
    max_windows: windows per document at most, spread evenly from start to end; 0 means all of them.
    aggregate: how windows become one score: "mean", "max", or "length-weighted", each token counted once.
    keep_percent: per cent of each language's documents that stay, the best ones; None keeps everything.
    cutoff: instead, the worst score that stays, for those who know what their model's scores mean in every language.
    higher_is_better: False for bits per byte, where a low score is the better one; None goes by the kind of model.
    device: "cuda", "cpu", or "auto": CUDA where there is any.
    gpus: the share of a GPU that one worker takes; 0.5 puts two workers on each.
    dtype: "bf16" or "fp32" of the model's body (heads are always fp32); "auto" means bf16 on CUDA.
    batch_tokens: tokens in a batch at most; halved where they do not fit the device's memory.
    compile: whether torch compiles the model first, which pays for long runs on CUDA.
    pickles: whether weights may be read from pickles, which can run any program; only safetensors otherwise.
    """

    model: str = ""
    kind: str = "auto"
    name: str = "score"
    label: str = ""
    window: int = 0
    stride: int = 0
    max_windows: int = 0
    aggregate: str = "length-weighted"
    keep_percent: Bound | None = None
    cutoff: Bound | None = None
    higher_is_better: bool | None = None
    device: str = "auto"
    gpus: float = 1.0
    dtype: str = "auto"
    batch_tokens: int = 65_536
    compile: bool = False
    pickles: bool = False

    def __post_init__(self) -> None:
        """Raise ConfigError when an option is out of its range."""
        if not self.model:
            raise ConfigError("[scoring] names no model.", "Give model = a local folder, or a fastText file.")
        for what, valid in (("kind", KINDS), ("aggregate", AGGREGATES), ("device", DEVICES), ("dtype", DTYPES)):
            if getattr(self, what) not in valid:
                raise unknown(f"scoring {what}", str(getattr(self, what)), valid)
        for what in ("window", "stride", "max_windows"):
            if getattr(self, what) < 0:
                raise ConfigError(f"scoring.{what} is {getattr(self, what)}.", "Give 0 or more.")
        if self.batch_tokens < 1:
            raise ConfigError(f"scoring.batch_tokens is {self.batch_tokens}.", "Give at least 1.")
        if not 0 < self.gpus <= 8:
            raise ConfigError(f"scoring.gpus is {self.gpus}.", "Give a share such as 0.5, or whole GPUs up to 8.")
        if self.keep_percent is not None and self.cutoff is not None:
            raise ConfigError("scoring.keep_percent and scoring.cutoff exclude each other.", "Give one of them.")
        if self.window and self.stride > self.window:
            raise ConfigError(f"scoring.stride {self.stride} is over the window, {self.window}.", "Text would be lost.")
        for percent in _numbers(self.keep_percent):
            if not 0 <= percent <= 100:
                raise ConfigError(f"scoring.keep_percent is {percent}.", "Give per cent, from 0 to 100.")
        if not self.name.isidentifier() or self.name in RESERVED:
            raise ConfigError(f"scoring.name is {self.name!r}.", "Give a column name that documents do not have.")

    @property
    def judges(self) -> bool:
        """Whether any document may be dropped for its score."""
        return self.keep_percent is not None or self.cutoff is not None

    @property
    def columns(self) -> tuple[str, str, str]:
        """The names of the three columns: score, windows, coverage."""
        return self.name, f"{self.name}_windows", f"{self.name}_coverage"

    def measuring(self) -> dict[str, Any]:
        """Return what scores depend on, as JSON holds it, the model aside: it counts by its checksum."""
        names = ("kind", "label", "window", "stride", "max_windows", "aggregate", "dtype", "batch_tokens")
        return {name: getattr(self, name) for name in names}

    def judging(self) -> dict[str, Any]:
        """Return what thresholds depend on, as JSON holds it."""
        bounds = (self.keep_percent, self.cutoff)
        kept = [None if bound is None else plain(bound) for bound in bounds]
        return {"keep_percent": kept[0], "cutoff": kept[1], "higher": self.higher_is_better, "name": self.name}


def keys(folder: Path, bound: Callable[[str, Any], Bound]) -> dict[str, Callable[[Any], Any]]:
    """Return how values of a recipe's [scoring] are read; `bound` reads a number or a table of them by language."""

    def percent(value: Any) -> Bound:
        # Of languages that a table does not name, everything stays.
        return bound("scoring.keep_percent", {"default": 100.0, **value} if isinstance(value, Mapping) else value)

    def model(value: Any) -> str:
        return str(folder / str(value))

    return {"model": model, "keep_percent": percent, "cutoff": lambda value: bound("scoring.cutoff", value)}


# Columns that documents have already.
RESERVED = ("id", "url", "date", "title", "text", "language", "language_score", "bytes", "chars", "tokens", "bucket")


def _numbers(bound: Bound | None) -> list[float]:
    if bound is None:
        return []
    return [bound.default, *bound.overrides.values()] if isinstance(bound, PerLanguage) else [float(bound)]
