"""What the text of each block is made of, counted in one walk: words in every script, not whitespace words.

A unit is a word of a spaced script, or as many letters of an unspaced one as `text/data/scripts.tsv` says make a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import layout, names
from tamis.text import unicode as u
from tamis.text.kernel import kernel

# Columns of a block's measures. Units are in sixteenths, so that they stay whole numbers.
UNITS, LETTERS, DIGITS, UPPER, SYMBOLS, PUNCTUATION, TERMINALS, LINES, FIRST, LAST, TEXT, TITLE, ABOUT, RIGHTS = range(
    14
)
MEASURE_COLUMNS = 14
UNIT = 16
# What a block begins with.
FIRST_OTHER, FIRST_LOWER, FIRST_UPPER, FIRST_DIGIT = range(4)
_COPYRIGHT = 0xA9
# Words of a title or description that are remembered; the table has eight times as many places.
_MAX_WORDS = 128
_MASK = 8 * _MAX_WORDS - 1


@kernel
def remember(known: Any, word: Any, bit: Any) -> Any:
    """Set a bit of a word hash (above 0) in an open-addressed table, unless it is full. Row 0 counts its words."""
    place = 1 + (word & _MASK)
    while known[place, 0] != 0 and known[place, 0] != word:
        place = 1 + (place & _MASK)
    if known[place, 0] == 0:
        if known[0, 0] >= 2 * _MAX_WORDS:
            return
        known[0, 0] += 1
        known[place, 0] = word
    known[place, 1] |= bit


@kernel
def recall(known: Any, word: Any) -> Any:
    """Return the bits of a word hash, 0 for one that is not known."""
    place = 1 + (word & _MASK)
    while known[place, 0] != 0:
        if known[place, 0] == word:
            return known[place, 1]
        place = 1 + (place & _MASK)
    return np.int64(0)


@kernel
def measure_span(  # long: one hot loop
    text: Any,
    start: Any,
    end: Any,
    table: Any,
    known: Any,
    bit: Any,
    found: Any,
) -> Any:
    """Measure text[start:end] into `found` (MEASURE_COLUMNS,); with a `bit`, remember its words under it instead."""
    found[:] = 0
    whole = np.int64(names.FNV_START)
    word = np.int64(0)
    worth = np.int64(0)
    first = True
    title = about = np.int64(0)
    at = start
    while True:
        point = np.int64(32)
        after = at + 1
        if at < end:
            point = np.int64(text[at])
            if point >= 0x80:
                point, after = u.decode(text, at, end)
        properties = u.look_up(table, point)
        kind = properties & u.CLASS_MASK
        if kind == u.LETTER or kind == u.MARK or kind == u.DIGIT or kind == u.NUMBER:
            alone = (properties >> u.UNIT_SHIFT) & u.UNIT_MASK
            if word == 0 or alone:
                if worth:
                    bits = recall(known, word) if not bit else np.int64(0)
                    title += worth * (bits & 1)
                    about += worth * (bits >> 1)
                    if bit:
                        remember(known, word, bit)
                word = np.int64(names.FNV_START)
                worth = np.int64(UNIT) if alone == 0 else UNIT // alone
                found[UNITS] += worth
            lower = point + 32 if 65 <= point <= 90 else point
            word = (((word ^ lower) * names.FNV_PRIME) & names.HASH_MASK) | 1
            whole = ((whole ^ lower) * names.FNV_PRIME) & names.HASH_MASK
            if kind == u.LETTER:
                found[LETTERS] += 1
                if properties & u.UPPER:
                    found[UPPER] += 1
            elif kind != u.MARK:
                found[DIGITS] += 1
            found[LAST] = 0
            if alone:
                bits = recall(known, word) if not bit else np.int64(0)
                title += worth * (bits & 1)
                about += worth * (bits >> 1)
                if bit:
                    remember(known, word, bit)
                word = np.int64(0)
                worth = np.int64(0)
        else:
            if worth:
                bits = recall(known, word) if not bit else np.int64(0)
                title += worth * (bits & 1)
                about += worth * (bits >> 1)
                if bit:
                    remember(known, word, bit)
            word = np.int64(0)
            worth = np.int64(0)
            if at >= end:
                break
            if properties & u.TERMINAL:
                found[TERMINALS] += 1
                found[LAST] = 1
            elif kind == u.PUNCTUATION:
                found[PUNCTUATION] += 1
                if point == 58:
                    found[LAST] = 0
            elif kind == u.SYMBOL:
                found[SYMBOLS] += 1
                if point == _COPYRIGHT:
                    found[RIGHTS] = 1
            elif point == 10:
                found[LINES] += 1
        if first:
            first = False
            if kind == u.LETTER:
                found[FIRST] = FIRST_UPPER if properties & u.UPPER else FIRST_LOWER
            elif kind == u.DIGIT:
                found[FIRST] = FIRST_DIGIT
        at = after
    found[TEXT] = whole
    found[TITLE] = title
    found[ABOUT] = about


@kernel
def measure(source: Any, text: Any, blocks: Any, heads: Any, table: Any, measures: Any) -> Any:
    """Measure each block's text into `measures` (blocks, MEASURE_COLUMNS) int64.

    `heads` (n, 3) are a bit (1 title, 2 description) and a span of the source; their words are looked for in the text.
    """
    known = np.zeros((_MASK + 2, 2), np.int64)
    spare = np.zeros(MEASURE_COLUMNS, np.int64)
    for head in range(len(heads)):
        measure_span(source, heads[head, 1], heads[head, 2], table, known, heads[head, 0], spare)
    for block in range(len(blocks)):
        start, end = blocks[block, layout.START], blocks[block, layout.END]
        measure_span(text, start, end, table, known, 0, measures[block])
