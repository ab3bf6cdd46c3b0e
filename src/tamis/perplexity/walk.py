"""The fused walk of scoring: documents to sums of log probabilities, without leaving compiled code."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.perplexity.encode import decode, escape, normalise, segment
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
def _line(data: Any, start: Any, stop: Any, ready: Any, table: Any, model: Any, plain: Any, escaped: Any) -> Any:
    """Write a line as SentencePiece searches it into `escaped`; returns its length."""
    starts, replaced, kind, selectors = table
    if ready:
        size = stop - start
        plain[:size] = data[start:stop]
    else:
        size = normalise(data, start, stop, starts, replaced, kind, selectors, plain)
    return escape(plain, size, model[6], model[7], escaped)


@kernel
def _numbered(escaped: Any, length: Any, model: Any, best: Any, came: Any, piece: Any, ids: Any) -> Any:
    """Return how many pieces a line has, their word numbers in `ids`."""
    base, check, value, scores, unknown, unknown_score, _, _, numbers = model
    found = segment(escaped, length, base, check, value, scores, unknown, unknown_score, best, came, piece, ids)
    for index in range(found):
        ids[index] = numbers[ids[index]]
    return found


@kernel
def score_documents(
    offsets: Any, data: Any, ready: Any, join_lines: Any, table: Any, model: Any, grams: Any, totals: Any, counts: Any
) -> Any:
    """Fill `totals`, shape (n, 2): Σ log10 over all lines, and over those that are not blank; and `counts`, shape
    (n, 2): pieces with one more per line, and pieces.

    `ready` marks documents normalised already. `table`, `model` and `grams` are the arrays of a CodeTable, a Unigram
    with each piece's word number, and an NgramModel, in the order they are unpacked here.
    """
    order, unigrams, keys, values = grams
    room, search = 0, 0
    plain, escaped = np.zeros(0, np.uint8), np.zeros(0, np.uint8)
    best, came, piece, ids = (
        np.zeros(0, np.float32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
    )
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        while start <= end:
            stop = start
            while stop < end and (join_lines or data[stop] != 10):
                stop += 1
            if stop - start >= room:
                room = max(2 * (stop - start), 1024)
                plain = np.empty(_RULES_GROW * room + 64, np.uint8)
                escaped = np.empty(_RULES_GROW * _MAP_GROWS * room + 64, np.uint8)
            length = _line(data, start, stop, ready[row], table, model, plain, escaped)
            if length >= search:
                search = max(2 * length, 1024)
                best, came = np.empty(search + 1, np.float32), np.empty(search + 1, np.int32)
                piece, ids = np.empty(search + 1, np.int32), np.empty(search + 1, np.int32)
            found = _numbered(escaped, length, model, best, came, piece, ids)
            log = score_line(ids, found, order, unigrams, keys, values)
            totals[row, 0] += log
            counts[row, 0] += found + 1
            if found:
                totals[row, 1] += log
                counts[row, 1] += found
            start = stop + 1


@kernel
def encode_documents(offsets: Any, data: Any, ready: Any, join_lines: Any, table: Any, model: Any) -> Any:
    """Return the lines that are not blank as word numbers, each between <s> (1) and </s> (2); shape (tokens,)."""
    room, search, size = 0, 0, 0
    plain, escaped = np.zeros(0, np.uint8), np.zeros(0, np.uint8)
    best, came, piece, ids = (
        np.zeros(0, np.float32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.int32),
    )
    out = np.empty(1024, np.int32)
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        while start <= end:
            stop = start
            while stop < end and (join_lines or data[stop] != 10):
                stop += 1
            if stop - start >= room:
                room = max(2 * (stop - start), 1024)
                plain = np.empty(_RULES_GROW * room + 64, np.uint8)
                escaped = np.empty(_RULES_GROW * _MAP_GROWS * room + 64, np.uint8)
            length = _line(data, start, stop, ready[row], table, model, plain, escaped)
            if length >= search:
                search = max(2 * length, 1024)
                best, came = np.empty(search + 1, np.float32), np.empty(search + 1, np.int32)
                piece, ids = np.empty(search + 1, np.int32), np.empty(search + 1, np.int32)
            found = _numbered(escaped, length, model, best, came, piece, ids)
            if found:
                if size + found + 2 > len(out):
                    grown = np.empty(2 * (size + found + 2), np.int32)
                    grown[:size] = out[:size]
                    out = grown
                out[size] = 1
                out[size + 1 : size + 1 + found] = ids[:found]
                out[size + 1 + found] = 2
                size += found + 2
            start = stop + 1
    return out[:size].copy()
