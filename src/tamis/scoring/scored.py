"""Scores of texts, as every scorer gives them and as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

# Digits after the point: below them bf16 and the order of additions decide, and bytes would differ from run to run.
DECIMALS = 4


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
