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
from tamis.extract.native.describe import Floats, TokenWeights, token_weights
from tamis.extract.native.features import FEATURES
from tamis.extract.native.smooth import SECOND_FEATURES
from tamis.extract.native.trees import MAX_LEAVES, add_forest, check_forest, leaf_slots

MODEL = Path(__file__).with_name("data") / "model.npz"
_STAGE_ARRAYS = ("columns", "starts", "thresholds", "trees", "masks", "leaves")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage's trees, as `trees.add_forest` takes them."""

    columns: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int32]
    thresholds: Floats
    trees: npt.NDArray[np.int32]
    masks: npt.NDArray[np.uint32]
    leaves: Floats

    def log_odds(self, matrix: Floats) -> Floats:
        """Return what the trees say of each row of `matrix`, (rows,) float32."""
        raw = np.zeros(len(matrix), np.float32)
        add_forest(matrix, self.columns, self.starts, self.thresholds, self.trees, self.masks, self.leaves, raw)
        return raw

    def without_trees(self) -> Stage:
        """Return a stage that says nothing."""
        return Stage(*(getattr(self, name)[:0] for name in _STAGE_ARRAYS))


@dataclass(frozen=True, slots=True)
class Model:
    """Token log-odds and one or two stages of trees; `checksum` is the file's SHA-256."""

    tokens: TokenWeights
    stages: tuple[Stage, ...]
    checksum: str


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
        if not check_forest(stage.columns, stage.starts, stage.thresholds, stage.trees, len(stage.leaves), columns):
            raise ModelError(f"The extraction model {path} is made for other features.", "Train it anew.")
    return Model(tokens, stages, checksum)


def stage_from_trees(dumped: Sequence[Mapping[str, Any]]) -> Stage:
    """Return the arrays of trees as LightGBM's `dump_model` gives them under `tree_info`; of MAX_LEAVES at most."""
    slots = leaf_slots()
    nodes: list[tuple[int, float, int, int]] = []
    leaves = np.zeros((len(dumped), MAX_LEAVES), np.float32)

    def grow(node: Mapping[str, Any], tree: int, first: int) -> int:
        """Note the comparisons below a node whose leftmost leaf is number `first`; return the number after its last."""
        if "leaf_value" in node:
            leaves[tree, slots[first]] = node["leaf_value"]
            return first + 1
        middle = grow(node["left_child"], tree, first)
        mask = ((1 << MAX_LEAVES) - 1) ^ ((1 << middle) - (1 << first))
        nodes.append((node["split_feature"], _round_down(node["threshold"]), tree, mask))
        return grow(node["right_child"], tree, middle)

    for number, tree in enumerate(dumped):
        grow(tree["tree_structure"], number, 0)
    nodes.sort()
    columns = sorted({node[0] for node in nodes})
    counts = np.searchsorted([node[0] for node in nodes], [*columns, FEATURES + SECOND_FEATURES])
    return Stage(
        np.array(columns, np.int32),
        counts.astype(np.int32),
        np.array([node[1] for node in nodes], np.float32),
        np.array([node[2] for node in nodes], np.int32),
        np.array([node[3] for node in nodes], np.uint32),
        leaves.ravel(),
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
