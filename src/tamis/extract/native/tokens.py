"""Learned log-odds of class, id and role tokens and of tags, summed along the path to each element."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import layout
from tamis.extract.native.markup import look_up
from tamis.extract.native.names import FNV_PRIME, FNV_START, HASH_MASK
from tamis.text.inline import inlined
from tamis.text.kernel import kernel, proven_kernel

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


# Bounds: places are below the mask; spans of tokens, rows and parents are the scanner's own, in range and ascending.
@proven_kernel
def score_elements(
    elements: Any, tokens: Any, classes: Any, class_tokens: Any, table: Any, weights: Any, tags: Any, scores: Any
) -> Any:
    """Score each element into `scores` (elements, SCORE_COLUMNS) float32; a token that was not learned counts 0.

    `tags` (float32) are the scores of the tags by number.
    """
    known = np.empty(len(classes), np.float32)
    for number in range(len(classes)):
        stop = classes[number + 1, layout.FIRST_TOKEN] if number + 1 < len(classes) else len(class_tokens)
        own = np.float32(0)
        for place in range(classes[number, layout.FIRST_TOKEN], stop):
            found = look_up(table, class_tokens[place])
            if found >= 0:
                own += weights[found]
        known[number] = own
    for row in range(len(elements)):
        stop = elements[row + 1, layout.TOKENS] if row + 1 < len(elements) else len(tokens)
        own = known[elements[row, layout.CLASS]]
        for place in range(elements[row, layout.TOKENS], stop):
            found = look_up(table, tokens[place])
            if found >= 0:
                own += weights[found]
        scores[row, TAG] = tags[elements[row, layout.TAG]]
        scores[row, OWN] = own
        above = elements[row, layout.PARENT]
        if above < 0:
            scores[row, SUM] = scores[row, LEAST] = scores[row, MOST] = own
        else:
            scores[row, SUM] = scores[above, SUM] + own
            scores[row, LEAST] = min(scores[above, LEAST], own)
            scores[row, MOST] = max(scores[above, MOST], own)
