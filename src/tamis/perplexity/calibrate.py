"""Calibration: held-out text to the reference distributions of a bundle, one for each length of documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tamis.perplexity.reference import (
    BYTES,
    CCNET,
    COMBINED,
    PERCENTS,
    PIECES,
    Doubles,
    Longs,
    Reference,
    Scores,
    percentiles,
    place,
)
from tamis.perplexity.scorer import Measures, Scorer

# Lengths in pieces that get a distribution each; as far up as the held-out text has this many times the length.
_LENGTHS = tuple(8 << step for step in range(14))
_TIMES = 8
# As many whole documents of a length are enough for its distribution (those near it count for less); what is missing
# is made up of documents made of lines, this many to begin with.
_ENOUGH = 150.0
_MADE = 2000
_LEAST = 20
_SEED = 6

_Band = tuple[float, Scores, Doubles]  # its length, the scores of documents, and how much each counts


def references(scorer: Scorer, held: Sequence[str], min_tokens: int) -> dict[str, Reference]:
    """Return the distribution of the scores of held-out documents, by variant.

    Of lengths that few documents have, documents are made: runs of lines, cut out of documents that are longer, and
    of several documents one after another where they are shorter.
    """
    found = _bands(scorer, held, min_tokens)
    made = {BYTES: _reference(found, BYTES), PIECES: _reference(found, PIECES), CCNET: _reference(found, "perplexity")}
    worse = [np.maximum(place(scores, made, BYTES), place(scores, made, PIECES)) for _, scores, _ in found]
    return made | {COMBINED: _distribution(found, worse)}


def _bands(scorer: Scorer, held: Sequence[str], min_tokens: int) -> list[_Band]:
    whole = scorer.measure(held)
    texts = [text.split("\n") for text in held]
    lines = scorer.measure([line for each in texts for line in each])
    starts = np.concatenate([[0], np.cumsum([len(each) for each in texts])])
    found: list[_Band] = []
    for length in _LENGTHS:
        parts = [(whole, _nearness(whole.tokens, length))]
        missing = _ENOUGH - parts[0][1].sum()
        if missing > 0 and lines.tokens.sum() >= _TIMES * length:
            made = _made(lines, starts, length)
            near = _nearness(made.tokens, length)
            parts.append((made, near * missing / max(near.sum(), 1.0)))
        scores = _together([measures.scores(min_tokens) for measures, _ in parts])
        weights = np.where(scores.tokens < min_tokens, 0.0, np.concatenate([each for _, each in parts]))
        if (weights > 0).sum() >= _LEAST:
            found.append((float(length), scores, weights))
    if found:
        return found
    return [(float(np.median(whole.tokens)), whole.scores(), (whole.tokens > 0).astype(np.float64))]


def _together(scores: Sequence[Scores]) -> Scores:
    names = ("perplexity", "bits_per_byte", "bits_per_piece", "tokens")
    return Scores(*(np.concatenate([getattr(each, name) for each in scores]) for name in names))


def _reference(found: Sequence[_Band], name: str) -> Reference:
    return _distribution(found, [getattr(scores, name) for _, scores, _ in found])


def _distribution(found: Sequence[_Band], values: Sequence[Doubles]) -> Reference:
    rows = [percentiles(each[w > 0], w[w > 0]) for each, (_, _, w) in zip(values, found, strict=True)]
    return Reference(np.array([length for length, _, _ in found]), PERCENTS, np.array(rows))


def _nearness(tokens: Longs, length: int) -> Doubles:
    """Return 1 for documents of a length, falling to 0 at half and at twice of it."""
    found: Doubles = np.maximum(1 - np.abs(np.log2(np.maximum(tokens, 1) / length)), 0.0)
    return found


def _made(lines: Measures, starts: Longs, length: int) -> Measures:
    """Return the measures of documents made of lines: `starts[k]` is the first of the k-th held-out document."""
    parts = []
    rng = np.random.RandomState(_SEED)  # whose numbers stay the same in every version of NumPy
    count = 0
    while count < _MADE:
        order = rng.permutation(len(starts) - 1)
        rows = np.concatenate([np.arange(starts[each], starts[each + 1]) for each in order.tolist()])
        bounds = _bounds(np.cumsum(lines.tokens[rows]), length)
        rows = rows[: bounds[-1]]
        sizes = np.add.reduceat(lines.sizes[rows], bounds[:-1]) + np.diff(bounds) - 1
        logs, counts = (np.add.reduceat(each[rows], bounds[:-1], axis=0) for each in (lines.logs, lines.counts))
        parts.append((logs, counts, sizes))
        count += len(sizes)
    return Measures(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _bounds(ends: Longs, length: int) -> Longs:
    """Return where runs of lines begin and end that come nearest to a length; `ends` are pieces up to each line's end.

    At least one run: there must be as many pieces.
    """
    found = [0]
    while len(found) <= _MADE:
        before = ends[found[-1] - 1] if found[-1] else 0
        place = int(np.searchsorted(ends, before + length))
        if place >= len(ends):
            break
        short = place > found[-1] and before + length - ends[place - 1] < ends[place] - before - length
        found.append(place if short else place + 1)
    return np.array(found)
