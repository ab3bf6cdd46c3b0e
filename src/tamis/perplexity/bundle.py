"""Bundles: an n-gram model, the pieces and normaliser it was trained with, and what its scores mean, in one folder.

`manifest.json` names every part with its size and SHA-256; a folder with another part in its place does not load.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tamis import errors
from tamis.errors import ModelError
from tamis.perplexity import arpa, unigram
from tamis.perplexity.kenlm import LanguageModel, open_binary
from tamis.perplexity.ngrams import open_model
from tamis.perplexity.normalise import Normaliser
from tamis.perplexity.reference import CCNET, COMBINED, Doubles, Reference, Scores, place
from tamis.perplexity.scorer import Scorer

MANIFEST = "manifest.json"
FORMAT = 2
NGRAMS, PIECES = "ngrams.bin", "pieces.model"
# CCNet's files, after the code of a language, and its table of cut points.
_CCNET_MODELS, _CCNET_PIECES, _CUTOFFS = (".arpa.bin", ".arpa", ".arpa.gz"), ".sp.model", "cutoff.csv"


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A language model that can be asked. `references` by variant are what percentiles are taken against; a CCNet
    bundle has one for CCNet's perplexity alone, or none. `checksum` names the whole."""

    language: str
    scorer: Scorer
    references: Mapping[str, Reference]
    checksum: str
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def percentile(self, scores: Scores, variant: str = COMBINED) -> Doubles:
        """Return where scores stand among those of held-out text, in [0, 100], NaN where there is none.

        Raises ConfigError for a variant that the bundle has no reference of.
        """
        return place(scores, self.references, variant)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a bundle's manifest. Raises ModelError where there is none, or one this version does not read."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} is not a bundle: {error}.", "Make one with `tamis train lm`.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelError(f"{folder / MANIFEST} is not of format {FORMAT}.", "Train the bundle anew.")
    return manifest


def verify(folder: Path) -> dict[str, Any]:
    """Return a bundle's manifest, every part having been read and compared with it.

    Raises ModelError where a part is missing, damaged, or another model's.
    """
    manifest = read_manifest(folder)
    if manifest.get("checksum") != _seal(manifest):
        raise ModelError(f"{folder / MANIFEST} was changed by hand.", "Restore it: the bundle is one artefact.")
    for name, part in manifest["parts"].items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{path} is missing.", "Fetch the bundle again.")
        if path.stat().st_size != part["bytes"] or checksum(path) != part["sha256"]:
            raise ModelError(f"{path} is not the part this bundle was made with.", "Parts cannot be exchanged.")
    return manifest


def _seal(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@lru_cache(maxsize=16)
def load(folder: str | Path) -> Bundle:
    """Return the bundle of a folder, once per process; its n-grams are mapped, not copied.

    Raises ModelError where a part is missing or not the one the manifest names.
    """
    folder = Path(folder)
    manifest = verify(folder)
    normaliser = Normaliser(**manifest["normaliser"])
    pieces = unigram.read(folder / PIECES)
    scorer = Scorer(normaliser, pieces, open_model(folder / NGRAMS), folder / PIECES)
    references = {name: _reference(points) for name, points in manifest["references"].items()}
    return Bundle(manifest["language"], scorer, references, manifest["checksum"], manifest)


def _reference(points: Mapping[str, list[float]]) -> Reference:
    return Reference(np.array(points["tokens"]), np.array(points["percents"]), np.array(points["values"]))


def seal(
    folder: Path, language: str, normaliser: Normaliser, references: Mapping[str, Reference], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the manifest of the parts that lie in a folder, and return it; `facts` are whatever else is known."""
    parts = {
        path.name: {"bytes": path.stat().st_size, "sha256": checksum(path)}
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
    manifest: dict[str, Any] = {"format": FORMAT, "language": language, **facts, "normaliser": asdict(normaliser)}
    manifest["references"] = {
        name: {
            "tokens": each.tokens.tolist(),
            "percents": each.percents.tolist(),
            "values": [[float(f"{value:.6g}") for value in row] for row in each.values.tolist()],
        }
        for name, each in references.items()
    }
    manifest["parts"] = parts
    manifest["checksum"] = _seal(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def ccnet_codes(folder: Path) -> list[str]:
    """Return CCNet's codes of the languages whose two files lie in a folder."""
    found = (path.name.removesuffix(_CCNET_PIECES) for path in sorted(folder.glob(f"*{_CCNET_PIECES}")))
    return [code for code in found if _ccnet_model(folder, code) is not None]


def _ccnet_model(folder: Path, code: str) -> Path | None:
    found = (folder / f"{code}{suffix}" for suffix in _CCNET_MODELS)
    return next((path for path in found if path.is_file()), None)


@lru_cache(maxsize=16)
def ccnet_checksum(folder: Path, code: str) -> str:
    """Return what names a CCNet model: a checksum over its files, and over its table of cut points."""
    paths = [_ccnet_model(folder, code), folder / f"{code}{_CCNET_PIECES}", folder / _CUTOFFS]
    sums = [checksum(path) for path in paths if path is not None and path.is_file()]
    return hashlib.sha256(" ".join(sums).encode()).hexdigest()


@lru_cache(maxsize=16)
def load_ccnet(folder: str | Path, code: str, language: str) -> Bundle:
    """Return CCNet's model of its language `code` as a bundle: `xx.arpa.bin` or `xx.arpa`, and `xx.sp.model`.

    Percentiles need its table of cut points, `cutoff.csv` (one column a language, one row a percent), in the same
    folder. Raises ModelError where a file is missing, MissingExtraError where a binary needs kenlm.
    """
    folder = Path(folder)
    pieces, file = folder / f"{code}{_CCNET_PIECES}", _ccnet_model(folder, code)
    if file is None or not pieces.is_file():
        raise ModelError(f"{folder} has no CCNet model {code!r}.", f"It needs {code}.arpa.bin and {pieces.name}.")
    model: LanguageModel = open_binary(file) if file.suffix == ".bin" else arpa.read(file)
    scorer = Scorer(Normaliser(), unigram.read(pieces), model, pieces)
    references = _cutoffs(folder / _CUTOFFS, code)
    return Bundle(language, scorer, references, ccnet_checksum(folder, code), {"origin": "CCNet"})


def _cutoffs(path: Path, code: str) -> dict[str, Reference]:
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    try:
        column = rows[0].index(code)
        points = sorted((float(row[0]), float(row[column])) for row in rows[1:] if row)
    except (ValueError, IndexError) as error:
        raise errors.ModelError(f"{path} has no cut points for {code!r}.", "Take the file CCNet publishes.") from error
    percents, values = np.array(points).T
    return {CCNET: Reference(np.ones(1), percents, values[None])}
