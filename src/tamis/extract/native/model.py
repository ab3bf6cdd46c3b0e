"""The extractor's model: one file of plain arrays, beside a card with its checksum, its sources and its figures."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.errors import ModelError
from tamis.extract.native.blocks import Ints
from tamis.extract.native.describe import Described, Floats, TokenWeights, feature_matrix, token_weights
from tamis.extract.native.features import FEATURES
from tamis.extract.native.smooth import SECOND_FEATURES, smooth
from tamis.extract.native.trees import add_trees, check_trees, to_chances

MODEL = Path(__file__).with_name("data") / "model.npz"
# After so many trees, blocks with log-odds below this are done with: e ** -3 is 5 %.
_EARLY_TREES, _HOPELESS = 20, -3.0
_STAGE_ARRAYS = ("roots", "features", "thresholds", "children", "leaves")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage's trees, as `trees.add_trees` takes them."""

    roots: npt.NDArray[np.int32]
    features: npt.NDArray[np.int32]
    thresholds: Floats
    children: npt.NDArray[np.int32]
    leaves: Floats


@dataclass(frozen=True, slots=True)
class Model:
    """Token log-odds and one or two stages of trees; `checksum` is the file's SHA-256."""

    tokens: TokenWeights
    stages: tuple[Stage, ...]
    checksum: str

    def chances(self, described: Described) -> Floats:
        """Return the probability (blocks,) float32 that each block is main content.

        Blocks that are hopeless after the first trees see no others: half of all, and no page's text changes by it.
        """
        count = len(described.page.blocks)
        extra = SECOND_FEATURES if len(self.stages) > 1 else 0
        matrix = feature_matrix(described, self.tokens, extra)
        found = np.empty(count, np.float32)
        rows = np.arange(count)
        first = self.stages[0]
        raw = np.zeros(count, np.float32)
        _add(first, 0, _EARLY_TREES, matrix, rows, raw)
        rows = np.flatnonzero(raw > _HOPELESS)
        _add(first, _EARLY_TREES, len(first.roots), matrix, rows, raw)
        to_chances(raw, found)
        for stage in self.stages[1:]:
            page = described.page
            smooth(page.elements, page.blocks, described.shares, described.units, found, matrix, FEATURES)
            rows = np.flatnonzero(raw > _HOPELESS)
            raw[rows] = 0
            _add(stage, 0, len(stage.roots), matrix, rows, raw)
            to_chances(raw, found)
        return found


def _add(stage: Stage, start: int, stop: int, matrix: Floats, rows: Ints, raw: Floats) -> None:
    roots = stage.roots[start:stop]
    add_trees(matrix, rows, roots, stage.features, stage.thresholds, stage.children, stage.leaves, raw)


@functools.lru_cache(maxsize=4)
def load_model(path: Path = MODEL) -> Model:
    """Return the model of a file, once per process. Raises ModelError where it is missing, or not as its card says."""
    try:
        raw = path.read_bytes()
        card = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except (OSError, ValueError) as failure:
        raise ModelError(f"Cannot read the extraction model {path}: {failure}.", "Reinstall Tamis.") from failure
    checksum = hashlib.sha256(raw).hexdigest()
    if checksum != card["sha256"]:
        raise ModelError(
            f"The extraction model {path} has SHA-256 {checksum}, its card says {card['sha256']}.", "Reinstall Tamis."
        )
    with np.load(io.BytesIO(raw)) as stored:
        tokens = token_weights(stored["tokens"].astype(np.int64), stored["odds"].astype(np.float32))
        stages = tuple(
            Stage(*(stored[f"{name}_{number}"] for name in _STAGE_ARRAYS)) for number in range(int(stored["stages"][0]))
        )
    for number, stage in enumerate(stages):
        columns = FEATURES + (SECOND_FEATURES if number else 0)
        if not check_trees(stage.roots, stage.features, stage.children, len(stage.leaves), columns):
            raise ModelError(f"The extraction model {path} is made for other features.", "Train it anew.")
    return Model(tokens, stages, checksum)


def stage_from_trees(dumped: Sequence[Mapping[str, Any]]) -> Stage:
    """Return the arrays of trees as LightGBM's `dump_model` gives them under `tree_info`."""
    roots: list[int] = []
    features: list[int] = []
    thresholds: list[float] = []
    children: list[list[int]] = []
    leaves: list[float] = []

    def grow(node: Mapping[str, Any]) -> int:
        if "leaf_value" in node:
            leaves.append(node["leaf_value"])
            return -len(leaves)
        place = len(features)
        features.append(node["split_feature"])
        thresholds.append(_round_down(node["threshold"]))
        children.append([0, 0])
        children[place] = [grow(node["left_child"]), grow(node["right_child"])]
        return place

    for tree in dumped:
        roots.append(grow(tree["tree_structure"]))
    return Stage(
        np.array(roots, np.int32),
        np.array(features, np.int32),
        np.array(thresholds, np.float32),
        np.array(children, np.int32).reshape(-1, 2),
        np.array(leaves, np.float32),
    )


def _round_down(threshold: float) -> float:
    """Return the greatest float32 not above a threshold, so that float32 values fall on the side they did."""
    near = np.float32(threshold)
    return float(near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf)))


def write_model(path: Path, tokens: Ints, odds: Floats, stages: Sequence[Stage], card: Mapping[str, Any]) -> None:
    """Write a model and its card; the same model is the same bytes."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "tokens": tokens.astype(np.uint32),
        "odds": odds.astype(np.float16),
        "stages": np.array([len(stages)]),
    }
    for number, stage in enumerate(stages):
        arrays |= {f"{name}_{number}": getattr(stage, name) for name in _STAGE_ARRAYS}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, array, allow_pickle=False)
            # A fixed date: `np.savez` writes the time of day.
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), part.getvalue(), zipfile.ZIP_DEFLATED
            )
    raw = file.getvalue()
    path.write_bytes(raw)
    stated = {"sha256": hashlib.sha256(raw).hexdigest(), **card}
    path.with_suffix(".json").write_text(json.dumps(stated, indent=1, ensure_ascii=False) + "\n", "utf-8")
