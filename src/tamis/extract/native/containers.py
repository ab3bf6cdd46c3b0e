"""What stands around a block: totals of the elements it lies in, and of the blocks that share its path or text."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import layout
from tamis.extract.native import measure as m
from tamis.text.kernel import kernel

# Columns of an element's totals over all text inside it; mass is the units of blocks that read like prose.
UNITS, LINKED, TERMINALS, BLOCKS, MASS = range(5)
TOTAL_COLUMNS = 5
# Columns of a block's shares: units and blocks of the page on its class path, units on its tag path, equal texts.
PATH_UNITS, PATH_BLOCKS, TAG_UNITS, COPIES, PATH = range(5)
SHARE_COLUMNS = 5
# A block reads like prose when it has a sentence end, and no more than this share of its bytes in links.
_MOST_LINKED = 0.4


@kernel
def link_share(blocks: Any, block: Any) -> Any:
    """Return the share of a block's bytes that lies inside links."""
    size = blocks[block, layout.END] - blocks[block, layout.START]
    return np.float32(blocks[block, layout.LINK_BYTES]) / np.float32(max(size, 1))


@kernel
def total(elements: Any, blocks: Any, measures: Any, totals: Any) -> Any:
    """Add up each element's text, that of the elements inside it included, into `totals` float32, zeros before."""
    for block in range(len(blocks)):
        row = blocks[block, layout.ELEMENT]
        linked = link_share(blocks, block)
        units = np.float32(measures[block, m.UNITS]) / np.float32(m.UNIT)
        totals[row, UNITS] += units
        totals[row, LINKED] += units * linked
        totals[row, TERMINALS] += measures[block, m.TERMINALS]
        totals[row, BLOCKS] += 1
        if linked < _MOST_LINKED and measures[block, m.TERMINALS] > 0:
            totals[row, MASS] += units
    for row in range(len(elements) - 1, 0, -1):
        above = elements[row, layout.PARENT]
        for column in range(TOTAL_COLUMNS):
            totals[above, column] += totals[row, column]


@kernel
def number(hashes: Any, numbers: Any) -> Any:
    """Give equal hashes equal numbers, in order of first appearance; return how many there are."""
    size = 16
    while size < 2 * len(hashes):
        size *= 2
    table = np.zeros((size, 2), np.int64)
    count = 0
    for at in range(len(hashes)):
        found = hashes[at]
        place = found & (size - 1)
        while table[place, 0] != 0 and table[place, 0] != found + 1:
            place = (place + 1) & (size - 1)
        if table[place, 0] == 0:
            table[place, 0] = found + 1
            table[place, 1] = count
            count += 1
        numbers[at] = table[place, 1]
    return count


@kernel
def share(elements: Any, blocks: Any, measures: Any, shares: Any) -> Any:
    """Count what blocks share into `shares` (blocks, SHARE_COLUMNS) float32."""
    count = len(blocks)
    hashes = np.empty(count, np.int64)
    numbers = np.empty(count, np.int64)
    for kind in range(3):
        for block in range(count):
            row = elements[blocks[block, layout.ELEMENT], layout.BLOCK]
            if kind == 0:
                hashes[block] = elements[row, layout.CLASS_PATH]
            elif kind == 1:
                hashes[block] = elements[row, layout.TAG_PATH]
            else:
                hashes[block] = measures[block, m.TEXT]
        groups = number(hashes, numbers)
        units = np.zeros(groups, np.float32)
        members = np.zeros(groups, np.float32)
        for block in range(count):
            units[numbers[block]] += np.float32(measures[block, m.UNITS]) / np.float32(m.UNIT)
            members[numbers[block]] += 1
        for block in range(count):
            group = numbers[block]
            if kind == 0:
                shares[block, PATH_UNITS] = units[group]
                shares[block, PATH_BLOCKS] = members[group]
                shares[block, PATH] = group
            elif kind == 1:
                shares[block, TAG_UNITS] = units[group]
            else:
                shares[block, COPIES] = members[group]


@kernel
def surround(elements: Any, blocks: Any, measures: Any, totals: Any, shares: Any) -> Any:
    """Do what `total` and `share` do."""
    total(elements, blocks, measures, totals)
    share(elements, blocks, measures, shares)
