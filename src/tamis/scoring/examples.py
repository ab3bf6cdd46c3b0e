"""Examples to train scorers from: labelled texts with languages, and which of them are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text
from tamis.errors import InputError
from tamis.schema import UNDETERMINED

_HASH_BITS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled texts, sorted by their hash: whatever order and files they came in, they are the same examples.

    labels: float64, 1 for good and 0 for bad, or a grade to be regressed; languages: codes, `und` where unknown;
    held_out: which are never trained on, by hash of the text.
    """

    texts: pa.LargeStringArray
    labels: npt.NDArray[np.float64]
    languages: npt.NDArray[np.str_]
    held_out: npt.NDArray[np.bool_]

    @property
    def binary(self) -> bool:
        """Whether the labels are 0 and 1 alone."""
        return bool(np.isin(self.labels, (0.0, 1.0)).all())


def gather(rows: Iterable[tuple[str, float, str | None]], held_out: float = 0.2) -> Examples:
    """Return (text, label, language) rows as examples; of equal texts the one with the highest label stays.

    Raises InputError where fewer than ten are left, all labels are one, or nothing is held out or learned from.
    """
    found: dict[bytes, tuple[str, float, str]] = {}
    for text, label, language in rows:
        if text.strip():
            key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=_HASH_BITS // 8).digest()
            if key not in found or found[key][1] < label:
                found[key] = (text, float(label), language or UNDETERMINED)
    keys = sorted(found)
    labels = np.array([found[key][1] for key in keys])
    out = np.array([int.from_bytes(key, "little") < held_out * 2**_HASH_BITS for key in keys], np.bool_)
    if len(keys) < 10 or len(np.unique(labels[~out])) < 2 or len(np.unique(labels[out])) < 2:
        raise InputError(
            f"{len(keys)} different texts with {len(np.unique(labels))} different labels cannot train a scorer.",
            "Give more labelled texts, of good and bad documents alike.",
        )
    languages = np.array([found[key][2] for key in keys])
    return Examples(as_text([found[key][0] for key in keys]), labels, languages, out)
