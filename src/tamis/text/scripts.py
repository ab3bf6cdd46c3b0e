"""The scripts of a text: how many letters of each it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text, text_buffers
from tamis.text import unicode as u
from tamis.text.kernel import kernel

_CLASS, _LETTER, _SCRIPT_SHIFT, _SCRIPT_MASK = u.CLASS_MASK, u.LETTER, u.SCRIPT_SHIFT, u.SCRIPT_MASK
_decode, _look_up = u.decode, u.look_up


def histogram(texts: Sequence[str | None] | pa.Array) -> npt.NDArray[np.int64]:
    """Return the letters of each script in each text, shape (rows, len(unicode.scripts())), columns in that order."""
    offsets, data = text_buffers(as_text(texts))
    counts = np.zeros((len(offsets) - 1, len(u.scripts())), np.int64)
    _count(offsets, data, u.table(), counts)
    return counts


def main_scripts(texts: Sequence[str | None] | pa.Array) -> list[str]:
    """Return the ISO 15924 code of the script most letters of each text are in, "Zyyy" where it has no letters."""
    found = histogram(texts)
    found[:, :2] = 0
    return [u.scripts()[place] for place in found.argmax(axis=1).tolist()]


@kernel
def _count(offsets: Any, data: Any, table: Any, counts: Any) -> None:
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        while at < end:
            point, at = _decode(data, at, end)
            entry = _look_up(table, point)
            if entry & _CLASS == _LETTER:
                counts[row, (entry >> _SCRIPT_SHIFT) & _SCRIPT_MASK] += 1
