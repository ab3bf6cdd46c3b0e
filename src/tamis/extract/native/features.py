"""The features of each block, language-neutral: `data/features.tsv` says what each is, in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import containers as c
from tamis.extract.native import layout
from tamis.extract.native import measure as m
from tamis.extract.native import names as n
from tamis.extract.native import tokens as t
from tamis.text.inline import inlined
from tamis.text.kernel import kernel

FEATURES = 107
_OWN, _PLACE, _PATH, _AROUND, _NEAR, _PAGE = 0, 14, 33, 53, 73, 95
_LEVELS = 4
_NEAR_COLUMNS = 4


@inlined
def log1p(value: Any) -> Any:
    """Return log(1 + value) as float32."""
    return np.float32(np.log(np.float32(1) + np.float32(value)))


@inlined
def per(value: Any, whole: Any) -> Any:
    """Return value / whole as float32, 0 for nothing of nothing."""
    return np.float32(value) / np.float32(max(np.float32(whole), np.float32(1e-6)))


@kernel
def describe_text(blocks: Any, measures: Any, block: Any, row: Any) -> Any:
    """Write what the block's own text is made of."""
    units = np.float32(measures[block, m.UNITS]) / np.float32(m.UNIT)
    letters = measures[block, m.LETTERS]
    signs = letters + measures[block, m.DIGITS] + measures[block, m.SYMBOLS] + measures[block, m.PUNCTUATION]
    row[0] = log1p(units)
    row[1] = c.link_share(blocks, block)
    row[2] = log1p(blocks[block, layout.LINKS])
    row[3] = per(measures[block, m.TERMINALS], units + 1)
    row[4] = measures[block, m.LAST]
    row[5] = per(measures[block, m.PUNCTUATION], units + 1)
    row[6] = per(measures[block, m.DIGITS], signs)
    row[7] = per(measures[block, m.UPPER], letters)
    row[8] = per(measures[block, m.SYMBOLS], signs)
    row[9] = per(letters, units)
    row[10] = log1p(measures[block, m.LINES])
    row[11] = measures[block, m.FIRST]
    row[12] = measures[block, m.RIGHTS]
    row[13] = log1p(measures[block, m.TERMINALS])


@kernel
def describe_place(elements: Any, scores: Any, inner: Any, row: Any) -> Any:
    """Write in which elements the block stands."""
    context = elements[inner, layout.CONTEXT]
    outer = elements[inner, layout.BLOCK]
    tag = elements[outer, layout.TAG]
    row[14] = scores[outer, t.TAG]
    row[15] = tag - n.TAG_H1 + 1 if n.TAG_H1 <= tag <= n.TAG_H6 else 0
    row[16] = tag == n.TAG_P
    row[17] = elements[outer, layout.DEPTH]
    row[18] = scores[elements[inner, layout.SECTION], t.TAG]
    row[19] = elements[inner, layout.DEPTH] - elements[elements[inner, layout.SECTION], layout.DEPTH]
    row[20] = context & n.IN_ARTICLE != 0
    row[21] = context & n.IN_MAIN != 0
    row[23] = context & n.IN_ASIDE != 0
    row[25] = context & n.IN_FOOTER != 0
    row[27] = context & n.IN_FIGURE != 0
    row[28] = context & n.IN_ITEM != 0
    row[29] = context & n.IN_CELL != 0
    row[30] = context & n.IN_PRE != 0
    row[31] = context & n.IN_HIDDEN != 0
    row[32] = (context & n.IN_BUTTON != 0) + 2 * (context & n.IN_NOSCRIPT != 0)


@kernel
def describe_path(
    elements: Any, scores: Any, measures: Any, shares: Any, totals: Any, block: Any, inner: Any, row: Any
) -> Any:
    """Write what class, id and role tokens say, and what else lies on the same path."""
    outer = elements[inner, layout.BLOCK]
    above = elements[elements[max(elements[outer, layout.PARENT], 0), layout.BLOCK], layout.PARENT]
    units = totals[0, c.UNITS]
    own = np.float32(measures[block, m.UNITS])
    row[33] = scores[outer, t.SUM]
    row[34] = scores[inner, t.SUM]
    row[35] = scores[outer, t.OWN]
    row[36] = scores[outer, t.LEAST]
    row[37] = scores[outer, t.MOST]
    row[38] = scores[max(elements[outer, layout.PARENT], 0), t.OWN]
    row[39] = scores[max(above, 0), t.OWN]
    row[40] = per(shares[block, c.PATH_UNITS], units)
    row[41] = log1p(shares[block, c.PATH_BLOCKS])
    row[42] = per(shares[block, c.TAG_UNITS], units)
    row[43] = log1p(shares[block, c.COPIES])
    row[44] = per(measures[block, m.TITLE], own)
    row[45] = per(measures[block, m.ABOUT], own)
    row[46] = log1p(per(shares[block, c.PATH_UNITS], shares[block, c.PATH_BLOCKS]))


@kernel
def describe_containers(elements: Any, totals: Any, inner: Any, row: Any) -> Any:
    """Write the totals of the three block-level elements around the block's own, and of its sectioning element."""
    page = totals[0, c.UNITS]
    mass = totals[0, c.MASS]
    level = elements[inner, layout.BLOCK]
    for step in range(_LEVELS):
        at = _AROUND + 5 * step
        if step == _LEVELS - 1:
            level = elements[inner, layout.SECTION]
        elif level > 0:
            level = elements[elements[level, layout.PARENT], layout.BLOCK]
        units = totals[level, c.UNITS]
        row[at] = log1p(units)
        row[at + 1] = per(totals[level, c.LINKED], units)
        row[at + 2] = per(totals[level, c.TERMINALS], units + 1)
        row[at + 3] = log1p(per(units, totals[level, c.BLOCKS]))
        row[at + 4] = per(totals[level, c.MASS], mass) if step else per(units, page)


@kernel
def describe_neighbours(matrix: Any, paths: Any) -> Any:
    """Copy a few features of the two blocks before and after each, and of ten on either side their prose."""
    count = len(matrix)
    prose = np.zeros(count + 1, np.float32)
    for block in range(count):
        units = np.exp(matrix[block, 0]) - 1
        prose[block + 1] = prose[block] + np.float32(units * (1 - matrix[block, 1]))
    for block in range(count):
        row = matrix[block]
        for step in range(4):
            other = block + step - 2 + (1 if step > 1 else 0)
            at = _NEAR + _NEAR_COLUMNS * step
            for column in range(_NEAR_COLUMNS):
                row[at + column] = -1
            if 0 <= other < count:
                row[at] = matrix[other, 0]
                row[at + 1] = matrix[other, 1]
                row[at + 2] = matrix[other, 33]
                row[at + 3] = matrix[other, 3]
        row[89] = block > 0 and paths[block] == paths[block - 1]
        row[90] = block + 1 < count and paths[block] == paths[block + 1]
        row[91] = log1p(max(prose[block] - prose[max(block - 4, 0)], np.float32(0)))
        row[92] = log1p(max(prose[min(block + 5, count)] - prose[block + 1], np.float32(0)))
        row[93] = log1p(max(prose[block] - prose[max(block - 16, 0)], np.float32(0)))
        row[94] = log1p(max(prose[min(block + 17, count)] - prose[block + 1], np.float32(0)))


@kernel
def describe_position(elements: Any, blocks: Any, measures: Any, totals: Any, source_bytes: Any, matrix: Any) -> Any:
    """Write where on the page each block stands: shares of it before, and distances to headings."""
    count = len(blocks)
    page = totals[0, c.UNITS]
    before = np.float32(0)
    title = heading = np.float32(-1)
    title_block = -1
    level = np.float32(0)
    for block in range(count):
        inner = blocks[block, layout.ELEMENT]
        tag = elements[elements[inner, layout.BLOCK], layout.TAG]
        if elements[inner, layout.CONTEXT] & n.IN_HEADING:
            heading = before
            level = np.float32(tag - n.TAG_H1 + 1)
            if tag == n.TAG_H1 and title < 0:
                title = before
                title_block = block
        row = matrix[block]
        row[47] = np.float32(block) / np.float32(count)
        row[48] = per(before, page)
        row[49] = np.float32(blocks[block, layout.SOURCE]) / np.float32(source_bytes)
        row[50] = log1p(before - title) if title >= 0 else np.float32(-1)
        row[51] = log1p(before - heading) + level / 8 if heading >= 0 else np.float32(-1)
        row[52] = log1p(block - title_block) if title_block >= 0 else np.float32(-1)
        before += np.float32(measures[block, m.UNITS]) / np.float32(m.UNIT)


@kernel
def describe_page(elements: Any, blocks: Any, measures: Any, shares: Any, totals: Any, matrix: Any) -> Any:
    """Write what the page is like as a whole, the same for all its blocks."""
    units = totals[0, c.UNITS]
    found = np.zeros(FEATURES - _PAGE, np.float32)
    for block in range(len(blocks)):
        own = np.float32(measures[block, m.UNITS]) / np.float32(m.UNIT)
        inner = blocks[block, layout.ELEMENT]
        context = elements[inner, layout.CONTEXT]
        tag = elements[elements[inner, layout.BLOCK], layout.TAG]
        found[4] += own * (tag == n.TAG_P)
        found[5] = max(found[5], shares[block, c.PATH_UNITS])
        found[6] += own * (context & n.IN_ARTICLE != 0)
        found[7] += own * (context & n.IN_MAIN != 0)
        found[8] += own * (context & n.IN_CELL != 0)
        found[9] += own * (context & n.IN_ITEM != 0)
        found[10] += tag == n.TAG_H1
    for place in range(4, 10):
        found[place] = per(found[place], units)
    for row in range(len(elements)):
        if elements[row, layout.SECTION] == row and elements[row, layout.CONTEXT] & n.IN_ARTICLE:
            above = elements[max(elements[row, layout.PARENT], 0), layout.CONTEXT]
            found[11] += above & n.IN_ARTICLE == 0
    found[0] = log1p(units)
    found[1] = log1p(len(blocks))
    found[2] = per(totals[0, c.LINKED], units)
    found[3] = per(totals[0, c.MASS], units)
    for block in range(len(blocks)):
        for place in range(FEATURES - _PAGE):
            matrix[block, _PAGE + place] = found[place]


@kernel
def describe_main_path(shares: Any, facts: Any, matrix: Any) -> Any:
    """Write where each block stands to the class path with most text outside links: before, among or after it.

    Where an article ends and teasers or comments begin, its path ends.
    """
    count = len(matrix)
    weights = np.zeros(count + 1, np.float32)
    first = last = 0
    best = np.int64(0)
    for block in range(count):
        path = np.int64(shares[block, c.PATH])
        weights[path] += np.float32((np.exp(matrix[block, 0]) - 1) * (1 - matrix[block, 1]))
        if weights[path] > weights[best]:
            best = path
    for block in range(count - 1, -1, -1):
        if shares[block, c.PATH] == best:
            last = max(last, block)
            first = block
    after = np.float32(0)
    for block in range(count):
        row = matrix[block]
        row[22] = -1 if block < first else 1 if block > last else 0
        row[24] = log1p(after) if block > last else -log1p(first - block) if block < first else np.float32(0)
        row[26] = facts[1]
        row[80] = facts[2]
        if block > last:
            after += np.exp(row[0]) - 1


@kernel
def describe(
    elements: Any, blocks: Any, measures: Any, scores: Any, totals: Any, shares: Any, facts: Any, matrix: Any
) -> Any:
    """Write the features of all blocks into `matrix` (blocks, FEATURES) float32.

    `facts` (3,) int64: the bytes of the source, what the page calls itself (0 nothing, 1 an article, 2 anything else),
    and whether it states a date of publication.
    """
    for block in range(len(blocks)):
        inner = blocks[block, layout.ELEMENT]
        row = matrix[block]
        describe_text(blocks, measures, block, row)
        describe_place(elements, scores, inner, row)
        describe_path(elements, scores, measures, shares, totals, block, inner, row)
        describe_containers(elements, totals, inner, row)
    describe_position(elements, blocks, measures, totals, max(facts[0], 1), matrix)
    describe_neighbours(matrix, shares[:, c.PATH])
    describe_page(elements, blocks, measures, shares, totals, matrix)
    describe_main_path(shares, facts, matrix)
