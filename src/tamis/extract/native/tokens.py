"""Learned log-odds of class, id and role tokens and of tags, summed along the path to each element."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import layout
from tamis.extract.native.markup import look_up
from tamis.extract.native.names import FNV_PRIME, FNV_START, HASH_MASK
from tamis.text.inline import inlined
from tamis.text.kernel import kernel

# Columns of an element's scores: of its own tokens; summed, least and greatest along its path; of its tag.
OWN, SUM, LEAST, MOST, TAG = range(5)
SCORE_COLUMNS = 5
_SALT_TAG = 11


@inlined
def tag_token(tag: Any) -> Any:
    """Return the token that stands for a tag number."""
    return ((((np.int64(FNV_START) ^ _SALT_TAG) * FNV_PRIME & HASH_MASK) ^ tag) * FNV_PRIME) & HASH_MASK


@kernel
def make_table(tokens: Any, table: Any) -> Any:
    """Fill an open-addressed table (2**k, 2) of zeros, `2**k` at least twice the tokens, with their places."""
    mask = len(table) - 1
    for number in range(len(tokens)):
        place = tokens[number] & mask
        while table[place, 0] != 0:
            place = (place + 1) & mask
        table[place, 0] = tokens[number] + 1
        table[place, 1] = number


@kernel
def score_elements(elements: Any, tokens: Any, table: Any, weights: Any, scores: Any) -> Any:
    """Score each element into `scores` (elements, SCORE_COLUMNS) float32; a token that was not learned counts 0."""
    for row in range(len(elements)):
        stop = elements[row + 1, layout.TOKENS] if row + 1 < len(elements) else len(tokens)
        own = np.float32(0)
        for place in range(elements[row, layout.TOKENS], stop):
            number = look_up(table, tokens[place])
            if number >= 0:
                own += weights[number]
        number = look_up(table, tag_token(elements[row, layout.TAG]))
        scores[row, TAG] = weights[number] if number >= 0 else np.float32(0)
        scores[row, OWN] = own
        above = elements[row, layout.PARENT]
        if above < 0:
            scores[row, SUM] = scores[row, LEAST] = scores[row, MOST] = own
        else:
            scores[row, SUM] = scores[above, SUM] + own
            scores[row, LEAST] = min(scores[above, LEAST], own)
            scores[row, MOST] = max(scores[above, MOST], own)
