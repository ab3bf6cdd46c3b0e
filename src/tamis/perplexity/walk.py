"""The fused walk of scoring: documents to sums of log probabilities, without leaving compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.perplexity.encode import decode, escape, normalise, segment, stands_alone
from tamis.perplexity.ngrams import score_line
from tamis.text.kernel import kernel

_SLOW_KIND = 2
_TABLE_END = 0x30000
# What one byte can become: no rule of a normaliser here makes a character over 4 times as long, and SentencePiece's
# longest replacement (U+FDFA, 3 bytes to 18 characters) with its spaces as 3 bytes each is under 16 times.
_RULES_GROW, _MAP_GROWS = 4, 16


@kernel
def contextual(offsets: Any, data: Any, kind: Any) -> Any:
    """Return whether each document has a character whose rules look at its neighbours, shape (n,), bool."""
    count = len(offsets) - 1
    found = np.zeros(count, np.bool_)
    for row in range(count):
        position, end = offsets[row], offsets[row + 1]
        while position < end:
            if data[position] < 0x80:
                position += 1
                continue
            code, length = decode(data, position, end)
            if code < _TABLE_END and kind[code] == _SLOW_KIND:
                found[row] = True
                break
            position += length
    return found


@kernel
def _line(
    data: Any, start: Any, stop: Any, ready: Any, table: Any, model: Any, alone: Any, plain: Any, escaped: Any
) -> Any:
    """Write a line as SentencePiece searches it into `escaped`; returns its length."""
    starts, replaced, kind, selectors = table
    if ready:
        size = stop - start
        plain[:size] = data[start:stop]
    else:
        size = normalise(data, start, stop, starts, replaced, kind, selectors, plain)
    return escape(plain, size, model[6], model[7], alone, escaped)


@kernel
def _scratch(charsmap: Any) -> Any:
    """Return the empty scratch of `_cut`: what is known of ASCII, a line normalised and escaped, and what the search
    writes."""
    return (
        stands_alone(charsmap),
        np.empty(0, np.uint8), np.empty(0, np.uint8), np.empty(0, np.float32), np.empty(0, np.int32),
        np.empty(0, np.int32), np.empty(0, np.int32),
    )  # fmt: skip


@kernel
def _longer(array: Any, size: Any) -> Any:
    """Return an array of at least `size`, with the same beginning."""
    if size <= len(array):
        return array
    grown = np.empty(max(2 * size, 1024), array.dtype)
    grown[: len(array)] = array
    return grown


@kernel
def _cut(
    data: Any,
    start: Any,
    end: Any,
    ready: Any,
    join_lines: Any,
    table: Any,
    model: Any,
    scratch: Any,
    out: Any,
    size: Any,
) -> Any:
    """Append the lines of a document to `out[:size]` as word numbers, each between <s> (1) and </s> (2).

    Returns `out` and `scratch`, which may have grown, the new size, and how many characters no piece covers.
    """
    base, check, value, scores, unknown, unknown_score, _, _, numbers = model
    alone, plain, escaped, best, came, piece, ids = scratch
    uncovered = 0
    while start <= end:
        stop = start
        while stop < end and (join_lines or data[stop] != 10):
            stop += 1
        plain = _longer(plain, _RULES_GROW * (stop - start) + 64)
        escaped = _longer(escaped, _RULES_GROW * _MAP_GROWS * (stop - start) + 64)
        length = _line(data, start, stop, ready, table, model, alone, plain, escaped)
        best, came = _longer(best, length + 1), _longer(came, length + 1)
        piece, ids = _longer(piece, length + 1), _longer(ids, length + 1)
        found, missed = segment(
            escaped, length, base, check, value, scores, unknown, unknown_score, best, came, piece, ids
        )
        out = _longer(out, size + found + 2)
        out[size] = 1
        for index in range(found):
            out[size + 1 + index] = numbers[ids[index]]
        out[size + 1 + found] = 2
        size += found + 2
        uncovered += missed
        start = stop + 1
    return out, (alone, plain, escaped, best, came, piece, ids), size, uncovered


@kernel
def score_documents(
    offsets: Any, data: Any, ready: Any, join_lines: Any, table: Any, model: Any, grams: Any, totals: Any, counts: Any
) -> Any:
    """Fill `totals`, shape (n, 2): Σ log10 over all lines, and over those that are not blank; and `counts`, shape
    (n, 4): lines, those not blank, pieces, and characters that no piece covers.

    `ready` marks documents normalised already. `table`, `model` and `grams` are the arrays of a CodeTable, a Unigram
    with each piece's word number, and an NgramModel, in the order they are unpacked here.
    """
    order, unigrams, cells, pairs = grams
    scratch, ids = _scratch(model[6]), np.empty(1024, np.int32)
    for row in range(len(offsets) - 1):
        ids, scratch, size, uncovered = _cut(
            data, offsets[row], offsets[row + 1], ready[row], join_lines, table, model, scratch, ids, 0
        )
        counts[row, 3] = uncovered
        start = 1
        while start < size:
            stop = start
            while ids[stop] != 2:
                stop += 1
            log = score_line(ids[start:stop], stop - start, order, unigrams, cells, pairs)
            totals[row, 0] += log
            counts[row, 0] += 1
            if stop > start:
                totals[row, 1] += log
                counts[row, 1] += 1
                counts[row, 2] += stop - start
            start = stop + 2


@kernel
def encode_documents(offsets: Any, data: Any, ready: Any, join_lines: Any, table: Any, model: Any) -> Any:
    """Return the lines that are not blank as word numbers, each between <s> (1) and </s> (2); shape (tokens,)."""
    scratch, out, size = _scratch(model[6]), np.empty(1024, np.int32), 0
    for row in range(len(offsets) - 1):
        start = size
        out, scratch, end, _ = _cut(
            data, offsets[row], offsets[row + 1], ready[row], join_lines, table, model, scratch, out, size
        )
        for index in range(start, end):
            if out[index] == 2 and out[index - 1] == 1:
                size -= 1
            else:
                out[size] = out[index]
                size += 1
    return out[:size].copy()
