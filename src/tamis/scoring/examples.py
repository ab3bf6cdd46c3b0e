"""Examples to train scorers from: labelled texts with languages, and which of them are held out."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

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


def read(path: Path, label: float | None, field: str = "label") -> Iterator[tuple[str, float, str | None]]:
    """Yield (text, label, language) of a file: Parquet or JSONL (.gz) with `text`, and `language` if it has any, or
    plain text, a document a line. `label` is that of the whole file; None reads each document's own from `field`.

    Raises InputError for a file that cannot be read, or a document without a label.
    """
    try:
        for row in _rows(path):
            yield str(row["text"]), float(row[field] if label is None else label), row.get("language")
    except (OSError, ValueError, KeyError, TypeError, EOFError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{path} cannot be read: {type(error).__name__}: {error}.",
            f"Give Parquet or JSONL with text{' and ' + field if label is None else ''}, or lines of text.",
        ) from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1024):
                yield from batch.to_pylist()
        return
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line) if ".jsonl" in path.suffixes else {"text": line.rstrip("\n")}
