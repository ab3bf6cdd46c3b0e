"""Block labels by alignment: which tokens of a page are its gold text, in order, each used once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.text.kernel import kernel

# Cells of the alignment table; beyond it the page is cut into pieces that are aligned by shared runs instead.
_MAX_CELLS = 150_000_000
# A match is worth this, one that goes on from another more: scattered common words align by chance, runs do not.
_MATCH, _RUN = 2, 5


@kernel
def align(page: Any, gold: Any, matched: Any) -> Any:  # long: one dynamic programme and its way back
    """Set `matched` (len(page),) uint8 for the tokens on the best ordered alignment of two token number lists."""
    height, width = len(page), len(gold)
    ways = np.zeros((height + 1, width + 1), np.uint8)
    best = np.zeros(width + 1, np.int32)
    runs = np.zeros(width + 1, np.int32)
    for i in range(1, height + 1):
        diagonal = np.int32(0)
        run_before = np.int32(0)
        for j in range(1, width + 1):
            above = best[j]
            run_above = runs[j]
            score = np.int32(-1)
            way = np.uint8(0)
            if page[i - 1] == gold[j - 1]:
                score = diagonal + np.int32(_MATCH)
                if run_before > 0 and run_before + np.int32(_RUN) >= score:
                    score = run_before + np.int32(_RUN)
                    way = np.uint8(4)
            runs[j] = score if score > 0 else np.int32(0)
            if score >= above and score >= best[j - 1] and score > 0:
                best[j] = score
                way |= np.uint8(2)
            elif best[j - 1] > above:
                best[j] = best[j - 1]
                way |= np.uint8(1)
            ways[i, j] = way
            diagonal = above
            run_before = run_above
    i, j = height, width
    inside = False
    while i > 0 and j > 0:
        way = ways[i, j]
        if inside or way & 2:
            matched[i - 1] = 1
            inside = way & 4 != 0
            i -= 1
            j -= 1
        elif way & 1:
            j -= 1
        else:
            i -= 1


def matched_tokens(page: Sequence[str], gold: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return for each token of the page whether it is part of the gold, (len(page),) uint8."""
    matched = np.zeros(len(page), np.uint8)
    if len(page) * len(gold) > _MAX_CELLS:
        return _shared_runs(page, gold)
    numbers = {token: number for number, token in enumerate(dict.fromkeys(gold))}
    known = np.array([numbers.get(token, -1) for token in page], np.int32)
    wanted = np.array([numbers[token] for token in gold], np.int32)
    present = np.flatnonzero(known >= 0)
    if len(present) and len(wanted):
        found = np.zeros(len(known), np.uint8)
        align(known, wanted, found)
        matched = found
    return matched


def _shared_runs(page: Sequence[str], gold: Sequence[str], length: int = 4) -> npt.NDArray[np.uint8]:
    wanted = {tuple(gold[at : at + length]) for at in range(len(gold) - length + 1)}
    matched = np.zeros(len(page), np.uint8)
    for at in range(len(page) - length + 1):
        if tuple(page[at : at + length]) in wanted:
            matched[at : at + length] = 1
    return matched


def labels_from_segments(
    blocks: Sequence[str], inside: Sequence[str], outside: Sequence[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return (labels, known) per block text from segments that are and are not main content; text, without spaces."""
    plain = ["".join(block.split()).lower() for block in blocks]
    labels = np.zeros(len(blocks), np.float32)
    known = np.zeros(len(blocks), np.float32)
    for segments, label in ((outside, 0.0), (inside, 1.0)):
        for segment in ("".join(segment.split()).lower() for segment in segments):
            for number, block in enumerate(plain):
                if len(segment) >= 4 and (segment in block or (len(block) >= 20 and block in segment)):
                    labels[number], known[number] = label, 1.0
    return labels, known
