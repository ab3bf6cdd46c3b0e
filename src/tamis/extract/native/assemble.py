"""The chosen blocks as one readable text, in document order: paragraphs, headings, lists, tables, code."""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import layout
from tamis.extract.native import names as n
from tamis.text.inline import inlined
from tamis.text.kernel import proven_kernel

# What a block is to the reader.
_ROW, _CELL, _ITEM, _CODE, _LEVEL = range(5)
_COLUMNS = 5
# The most that one block adds to the text: separator, fence, mark.
MOST_ADDED = 24


@proven_kernel
def place_elements(elements: Any, places: Any) -> Any:
    """Write for each element the row, cell, list item and preformatted element around it (0: none), and its level."""
    places[0] = 0
    for row in range(1, len(elements)):
        tag = elements[row, layout.TAG]
        for column in range(_COLUMNS):
            places[row, column] = places[elements[row, layout.PARENT], column]
        if tag == n.TAG_TABLE:
            places[row, _ROW] = places[row, _CELL] = 0
        elif tag == n.TAG_TR:
            places[row, _ROW] = row
            places[row, _CELL] = 0
        elif tag == n.TAG_TD or tag == n.TAG_TH:
            places[row, _CELL] = row
        elif tag == n.TAG_LI:
            places[row, _ITEM] = row
        elif tag == n.TAG_PRE:
            places[row, _CODE] = row
        elif n.TAG_H1 <= tag <= n.TAG_H6:
            places[row, _LEVEL] = tag - n.TAG_H1 + 1


@proven_kernel
def put(out: Any, at: Any, byte: Any, times: Any) -> Any:
    """Write a byte so many times; return the place after it."""
    for step in range(times):
        out[at + step] = byte
    return at + times


# Bounds: rows are the scanner's own; `out` has room for every block and MOST_ADDED bytes for each, as its caller says.
@proven_kernel
def join_blocks(text: Any, elements: Any, blocks: Any, chosen: Any, markdown: Any, out: Any) -> Any:  # long: one walk
    """Write the chosen blocks to `out`; return how many bytes. `out` has room for them and MOST_ADDED bytes for each.

    Cells of a row are joined by tabs, rows and list items by line ends, all else by a blank line. List items begin
    with `- `. With `markdown`, headings begin with `#`, and code stands between fences.
    """
    places = np.empty((len(elements), _COLUMNS), np.int64)
    place_elements(elements, places)
    begun = np.zeros(len(elements), np.uint8)
    at = 0
    before = np.int64(0)
    for block in range(len(blocks)):
        if not chosen[block]:
            continue
        row = elements[blocks[block, layout.ELEMENT], layout.BLOCK]
        code = places[row, _CODE]
        item = places[row, _ITEM]
        cell = places[row, _ROW] > 0 and places[row, _CELL] == row
        before_cell = places[before, _ROW] > 0 and places[before, _CELL] == before
        fenced = markdown and code > 0 and (at == 0 or places[before, _CODE] != code)
        if at > 0:
            if markdown and places[before, _CODE] > 0 and places[before, _CODE] != code:
                at = put(out, put(out, at, 10, 1), 96, 3)
            in_item = places[before, _ITEM] > 0 and item > 0 and (row == item or not begun[item])
            if cell and before_cell and row != before and places[row, _ROW] == places[before, _ROW]:
                at = put(out, at, 9, 1)
            elif (cell and before_cell and row != before) or in_item or (code > 0 and code == places[before, _CODE]):
                at = put(out, at, 10, 1)
            else:
                at = put(out, at, 10, 2)
        if item > 0 and not begun[item]:
            begun[item] = 1
            at = put(out, put(out, at, 45, 1), 32, 1)
        if markdown and places[row, _LEVEL]:
            at = put(out, put(out, at, 35, places[row, _LEVEL]), 32, 1)
        if fenced:
            at = put(out, put(out, at, 96, 3), 10, 1)
        for source in range(blocks[block, layout.START], blocks[block, layout.END]):
            out[at] = text[source]
            at += 1
        before = row
    if markdown and at > 0 and places[before, _CODE] > 0:
        at = put(out, put(out, at, 10, 1), 96, 3)
    return at


# Bounds: `at` is below `size`, and what stands before it is compared with 0.
@proven_kernel
def is_normal(out: Any, size: Any) -> Any:
    """Return whether out[:size], UTF-8, is sure to be in normal form (`extract.normal`); when in doubt, False."""
    if size == 0:
        return True
    if out[0] == 10 or out[size - 1] == 10:
        return False
    for at in range(size + 1):
        byte = out[at] if at < size else np.uint8(10)
        if byte >= 32:
            continue
        if byte != 10 and byte != 9:
            return False
        if byte == 10 and at > 0:
            before = out[at - 1]
            if before == 32 or before == 9 or (before == 10 and at > 1 and out[at - 2] == 10):
                return False
            if before >= 0x80 and at > 2 and ends_in_space(out[at - 3], out[at - 2], before):
                return False
    return True


@inlined
def ends_in_space(one: Any, two: Any, three: Any) -> Any:
    """Return whether three bytes end with a space of Unicode."""
    if one == 0xE2 and two == 0x80:
        return three <= 0x8A or three == 0xA8 or three == 0xA9 or three == 0xAF
    if one == 0xE2 and two == 0x81:
        return three == 0x9F
    if two == 0xC2:
        return three == 0x85 or three == 0xA0
    return (one == 0xE3 and two == 0x80 and three == 0x80) or (one == 0xE1 and two == 0x9A and three == 0x80)
