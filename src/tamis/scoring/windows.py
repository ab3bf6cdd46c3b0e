"""Windows: token lists of any length cut into pieces a model can take, and the pieces' scores made one.

A document is never judged by its first window alone: every token lies in some window unless `limit` is set, and then
the windows are spread over the whole document and coverage says how much of it was seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of several documents, each array of shape (windows,), int64, by document and then by place.

    document: which document; start, length: its tokens within the document;
    fresh: how many of its tokens, always its last ones, no earlier window has.
    """

    document: Ints
    start: Ints
    length: Ints
    fresh: Ints

    def __len__(self) -> int:
        return len(self.document)


def cut(counts: Ints, size: int, stride: int = 0, limit: int = 0) -> Windows:
    """Return the windows of documents of `counts` tokens, at most `size` tokens each, starting `stride` apart.

    The last window ends where its document ends and is as long as the others, so that no score rests on a stub.
    `stride` 0 is `size`; with `limit` above 0 a document has at most that many, spread evenly from its start to its
    end. A document without tokens has no window. Raises ValueError where `size` is below 1 or `stride` above `size`.
    """
    stride = stride or size
    if size < 1 or not 0 < stride <= size:
        raise ValueError(f"windows of {size} tokens cannot start {stride} apart")
    parts = [_starts(int(count), size, stride, limit) for count in counts]
    number = np.array([len(part) for part in parts], np.int64)
    document = np.repeat(np.arange(len(counts), dtype=np.int64), number)
    start = np.concatenate([np.zeros(0, np.int64), *parts])
    total = counts[document] if len(document) else np.zeros(0, np.int64)
    end = np.minimum(start + size, total)
    before = np.concatenate([[0], end[:-1]]).astype(np.int64) if len(end) else end
    first = np.ones(len(document), np.bool_)
    first[1:] = document[1:] != document[:-1]
    fresh = end - np.maximum(start, np.where(first, 0, before))
    return Windows(document, start, end - start, fresh)


def _starts(count: int, size: int, stride: int, limit: int) -> Ints:
    if count <= size:
        return np.zeros(min(count, 1), np.int64)
    last = count - size
    starts = np.minimum(np.arange(0, last + stride, stride, dtype=np.int64), last)
    if limit and len(starts) > limit:
        picked = np.linspace(0, len(starts) - 1, limit).round().astype(np.int64) if limit > 1 else np.array([0])
        starts = starts[picked]
    return starts


def aggregate(values: Floats, windows: Windows, documents: int, how: str) -> Floats:
    """Return one value per document, shape (documents,), float64; NaN for a document without windows.

    `how` is "mean" over windows, "max", or "length-weighted": every token counts once, by the first window it is in.
    """
    weights = windows.fresh.astype(np.float64) if how == "length-weighted" else np.ones(len(windows))
    out = np.full(documents, np.nan)
    if how == "max":
        best = np.full(documents, -np.inf)
        np.maximum.at(best, windows.document, values)
        seen = np.bincount(windows.document, minlength=documents) > 0
        out[seen] = best[seen]
        return out
    total = np.bincount(windows.document, weights, documents)
    sums = np.bincount(windows.document, weights * values, documents)
    np.divide(sums, total, out=out, where=total > 0)
    return out


def coverage(windows: Windows, counts: Ints) -> Floats:
    """Return the share of each document's tokens that some window has, shape (documents,), in [0, 1]; 0 for none."""
    seen = np.bincount(windows.document, windows.fresh.astype(np.float64), len(counts))
    return np.divide(seen, counts, out=np.zeros(len(counts)), where=counts > 0)
