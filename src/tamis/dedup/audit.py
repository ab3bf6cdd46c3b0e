"""The residual audit: how much of what stays still occurs several times, in spans of fixed length.

Small amounts of much-repeated data hurt training out of proportion (Hernandez et al. 2022, arXiv 2205.10487), and whole
documents can be distinct while long spans in them are not (Lee et al. 2022, arXiv 2107.06499, who look for spans of 50
tokens). Each span is one hash; of all hashes a fixed share is looked at, the same in every document, so that repeats of
a span are seen together or not at all, and shares of spans are unbiased.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text
from tamis.dedup.options import DedupOptions
from tamis.dedup.shingle import composed, roll_ids, shingle_hashes
from tamis.dedup.spill import Sorter, repeated

Hashes = npt.NDArray[np.uint64]

SPAN = 50
# Occurrences from which a row of the table counts.
BOUNDS = (1, 2, 3, 6, 11, 101, 1001)
_RECORD = np.dtype([("span", np.uint64)])


@dataclass(frozen=True, slots=True)
class Residue:
    """What an audit found.

    spans: how many spans were looked at. table: (from how many occurrences, share of spans that occur so often), the
    shares of all rows adding up to 1. repeated: the share that occurs at least twice.
    """

    spans: int
    table: tuple[tuple[int, float], ...]

    @property
    def repeated(self) -> float:
        """The share of spans that occur at least twice, in [0, 1]."""
        return sum(share for bound, share in self.table if bound > 1)


def audit(texts: Iterable[pa.Array], *, span: int = SPAN, sample: int = 16, memory: int, scratch: Path) -> Residue:
    """Return how often spans of `span` units recur in batches of texts, or of token ids (lists of integers).

    Units are words, or characters in unspaced scripts, as near-duplicates count them; of token ids each is a unit. One
    in `sample` distinct spans is looked at. At most about `memory` bytes are sorted at once.
    """
    if span < 1 or sample < 1:
        raise ValueError(f"span {span} and sample {sample} must be at least 1")
    total, counts = 0, np.zeros(len(BOUNDS), np.int64)
    with Sorter(_RECORD, memory, scratch) as sorter:
        for batch in texts:
            hashes = _spans(batch, span)
            chosen = hashes[hashes % np.uint64(sample) == 0]
            total += len(chosen)
            sorter.add(chosen.view(_RECORD))
        for records, starts in repeated(iter(sorter), ("span",)):
            sizes = np.diff(np.append(starts, len(records)))
            np.add.at(counts, np.searchsorted(BOUNDS, sizes, side="right") - 1, sizes)
    counts[0] = total - counts.sum()
    return Residue(total, tuple((bound, n / max(total, 1)) for bound, n in zip(BOUNDS, counts.tolist(), strict=True)))


def _spans(batch: pa.Array, span: int) -> Hashes:
    if pa.types.is_list(batch.type) or pa.types.is_large_list(batch.type):
        offsets = batch.offsets.to_numpy().astype(np.int64)
        return roll_ids(offsets - offsets[0], batch.flatten().to_numpy().astype(np.uint64), span)
    return shingle_hashes(composed(as_text(batch)), DedupOptions(shingle_words=span))[1]
