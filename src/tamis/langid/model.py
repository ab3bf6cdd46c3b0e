"""fastText models by name or path: the only file that imports `fasttext`.

Loaded once per process by path and checksum (Joulin et al. 2016, arXiv:1607.01759, is the classifier). What travels
between processes is `ModelFile`, a path and a checksum; a loaded model is never pickled.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from tamis import assets, errors
from tamis.langid import codes
from tamis.langid.ftz import read as read_quantized
from tamis.langid.quantized import Quantized

_SUFFIXES = (".bin", ".ftz")
# Of glibc's mallopt; other C libraries have none.
_M_PERTURB = -6
# fastText reads a line; these would end it early or are the marker it puts at its end.
_UNSAFE = str.maketrans({"\n": " ", "\r": " ", "\0": " ", "\v": " ", "\f": " ", "\x85": " "})

Guess = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Fit:
    """fastText's own options; `min_count` and `cutoff` decide how many words and n-grams keep a row of their own."""

    dim: int = 32
    minn: int = 2
    maxn: int = 5
    buckets: int = 400_000
    epochs: int = 10
    rate: float = 0.6
    min_count: int = 1000
    cutoff: int = 0
    threads: int = 1


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model as it travels: where it is and the SHA-256 of its bytes."""

    path: str
    sha256: str


class Model:
    """A loaded classifier. `labels` are its own; `languages` are the codes they can stand for."""

    def __init__(self, path: str, sha256: str, native: Any) -> None:
        self.path = path
        self.sha256 = sha256
        self._native = native

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The labels as the model has them."""
        return tuple(_labels(self._native))

    @cached_property
    def codes(self) -> dict[str, tuple[str, ...]]:
        """The codes each label can stand for; a label in no known code set stands for none."""
        return {label: _codes(label) for label in self.labels}

    @cached_property
    def languages(self) -> frozenset[str]:
        """Every code that the model can emit."""
        return frozenset(code for found in self.codes.values() for code in found)

    @cached_property
    def quantized(self) -> Quantized | None:
        """The model as the kernel runs it, None where only the fastText library can."""
        return read_quantized(Path(self.path))

    def predict(self, texts: Sequence[str], k: int = 1, threshold: float = 0.0) -> list[list[Guess]]:
        """Return, for each text, up to `k` pairs of probability and label, best first (`k` = -1: all).

        Never raises on text: line ends and NUL count as spaces, lone surrogates as U+FFFD, and a text without a
        single known feature has no guesses.
        """
        return [self.predict_one(text, k, threshold) for text in texts]

    def predict_one(self, text: str, k: int = 1, threshold: float = 0.0) -> list[Guess]:
        """Return what `predict` does for one text."""
        if not text.isprintable():
            text = text.translate(_UNSAFE).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return self._native.predict(text + "\n", k, threshold, "strict")  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, tuple[ModelFile]]:
        return load, (ModelFile(self.path, self.sha256),)


def find(model: str | os.PathLike[str]) -> ModelFile:
    """Return the descriptor of a model given by path (`.bin`, `.ftz`) or name: `default`, or one that was fetched.

    Never touches the network: `tamis models get` does that.

    Raises:
        ModelError: there is no such file, or it is not the one that its checksum names.
        UnknownNameError: `model` is neither a path nor a known name.
    """
    given = os.fspath(model)
    path = Path(given)
    if os.sep not in given and not path.is_file():
        if assets.known(given):
            return _fetched(given)
        if not given.endswith(_SUFFIXES):
            path = Path(str(files("tamis.langid").joinpath("data", f"{given}.ftz")))
            if not path.is_file():
                raise errors.unknown("language identification model", given, [*shipped(), *assets.names()])
    if not path.is_file():
        raise errors.ModelError(f"There is no model at {path}.", "Give a fastText .bin or .ftz file, or 'default'.")
    return _described(path)


def _described(path: Path) -> ModelFile:
    stat = path.stat()
    return ModelFile(str(path), _checksum(str(path.resolve()), stat.st_size, stat.st_mtime_ns))


def _fetched(name: str) -> ModelFile:
    """The descriptor of a model in the cache, compared with the checksum it was fetched with."""
    (path, *_), (asset, *_) = assets.locate(name), assets.files_of(name)
    found = _described(path)
    if asset.sha256 and found.sha256 != asset.sha256:
        raise errors.ModelError(
            f"{path} has SHA-256 {found.sha256}, not {asset.sha256}.", f"Fetch it again: tamis models get {asset.name}"
        )
    return found


def load(model: ModelFile | str | os.PathLike[str]) -> Model:
    """Return the loaded model, from this process's cache where it is there.

    Raises:
        ModelError: the file is missing, damaged, or not the one its checksum names.
    """
    file = model if isinstance(model, ModelFile) else find(model)
    return _load(file.path, file.sha256)


def shipped() -> list[str]:
    """Return the names of the models that come with the package."""
    folder = Path(str(files("tamis.langid").joinpath("data")))
    return sorted(path.stem for path in folder.glob("*.ftz"))


@cache
def _load(path: str, sha256: str) -> Model:
    import fasttext

    if find(path).sha256 != sha256:
        raise errors.ModelError(f"The model at {path} has changed.", f"Expected SHA-256 {sha256}.")
    try:
        loaded = fasttext.load_model(path)
    except (ValueError, MemoryError, RuntimeError) as error:
        raise errors.ModelError(
            f"{path} is not a fastText model: {error}", "Give a fastText .bin or .ftz file."
        ) from error
    # The full build wraps the native object (`.f`), the predict-only build may be it. The wrapper's own predict copies
    # into NumPy arrays, which NumPy 2 refuses.
    return Model(path, sha256, getattr(loaded, "f", loaded))


@cache
def _checksum(path: str, size: int, mtime_ns: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _labels(native: Any) -> list[str]:
    found = native.getLabels("strict") if hasattr(native, "getLabels") else native.get_labels()
    # The full build returns (labels, counts), the predict-only build labels alone.
    return list(found[0]) if isinstance(found, tuple) else list(found)


def _codes(label: str) -> tuple[str, ...]:
    try:
        return codes.label_languages(label)
    except errors.UnknownNameError:
        return ()


def train_supervised(sheet: Path, out: Path, options: Fit) -> None:
    """Train a classifier from a fastText training file and write it quantized to `out`.

    Raises:
        MissingExtraError: this fastText build can only predict.
    """
    import fasttext

    if not hasattr(fasttext, "train_supervised"):
        raise errors.MissingExtraError("This build of fastText can only predict.", "Train with Python 3.11 or 3.12.")
    with _zeroed_memory():
        trained = fasttext.train_supervised(
            str(sheet), dim=options.dim, minn=options.minn, maxn=options.maxn, bucket=options.buckets,
            epoch=options.epochs, lr=options.rate, thread=options.threads, minCount=options.min_count, loss="softmax",
            verbose=0,
        )  # fmt: skip
        trained.quantize(
            input=str(sheet), qnorm=True, dsub=2, cutoff=options.cutoff, retrain=bool(options.cutoff), epoch=2,
            thread=options.threads,
        )  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    trained.save_model(str(out))


@contextlib.contextmanager
def _zeroed_memory() -> Iterator[None]:
    """Make malloc hand out zeroed memory for a while.

    fastText 0.9.2 initializes one tenth of its matrix per thread, for ten threads, and leaves the rest as malloc gave
    it: with fewer threads, training on recycled memory ends in "Encountered NaN" or in another model every time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # a C library other than glibc
        yield
        return
    # New memory is filled with the complement of this byte.
    mallopt(_M_PERTURB, 0xFF)
    try:
        yield
    finally:
        mallopt(_M_PERTURB, 0)
