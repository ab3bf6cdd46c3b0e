"""What the text of each block is made of, counted in one walk: words in every script, not whitespace words.

A unit is a word of a spaced script, or as many letters of an unspaced one as `text/data/scripts.tsv` says make a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tamis.extract.native import layout, names
from tamis.text import unicode as u
from tamis.text.inline import inlined
from tamis.text.kernel import proven_kernel

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


# Bounds: a place is at most the mask and one; the table has two more rows than the mask.
@proven_kernel
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


@proven_kernel
def recall(known: Any, word: Any) -> Any:
    """Return the bits of a word hash, 0 for one that is not known."""
    place = 1 + (word & _MASK)
    while known[place, 0] != 0:
        if known[place, 0] == word:
            return known[place, 1]
        place = 1 + (place & _MASK)
    return np.int64(0)


@inlined
def bits_of(known: Any, word: Any, bit: Any) -> Any:
    """Return the bits of a finished word; with a `bit`, remember the word under it, and return none."""
    bits = np.int64(0)
    if bit:
        remember(known, word, bit)
    elif known[0, 0]:
        bits = recall(known, word)
    return bits


# Bounds: places of text are compared with `end`; code points are at most 0x10FFFF, for which the tables of
# `text.unicode` are made; places of words are masked.
@proven_kernel
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
    units = letters = digits = upper = symbols = punctuation = terminals = lines = last = rights = np.int64(0)
    title = about = np.int64(0)
    whole = np.int64(names.FNV_START)
    word = np.int64(0)
    worth = np.int64(0)
    beginning = np.int64(FIRST_OTHER)
    if start < end:
        point, after = u.decode(text, start, end)
        properties = u.look_up(table, point)
        if properties & u.CLASS_MASK == u.LETTER:
            beginning = np.int64(FIRST_UPPER if properties & u.UPPER else FIRST_LOWER)
        elif properties & u.CLASS_MASK == u.DIGIT:
            beginning = np.int64(FIRST_DIGIT)
    at = start
    while at < end:
        byte = np.int64(text[at])
        lower = np.int64(table[u.PLAIN + byte])
        if lower:
            # A run of ASCII letters and digits, which most text is.
            if word == 0:
                word = np.int64(names.FNV_START)
                worth = np.int64(UNIT)
                units += UNIT
            last = np.int64(0)
            begun = at
            named = letters
            while lower:
                word = (((word ^ lower) * names.FNV_PRIME) & names.HASH_MASK) | 1
                letters += lower > 57
                upper += lower != byte
                at += 1
                if at >= end:
                    break
                byte = np.int64(text[at])
                lower = np.int64(table[u.PLAIN + byte])
            digits += at - begun - (letters - named)
            continue
        point = byte
        after = at + 1
        if byte >= 0x80:
            point, after = u.decode(text, at, end)
        at = after
        properties = u.look_up(table, point)
        kind = properties & u.CLASS_MASK
        if kind == u.LETTER or kind == u.MARK or kind == u.DIGIT or kind == u.NUMBER:
            alone = (properties >> u.UNIT_SHIFT) & u.UNIT_MASK
            if word == 0 or alone:
                if worth:
                    bits = bits_of(known, word, bit)
                    title += worth * (bits & 1)
                    about += worth * (bits >> 1)
                    whole = ((whole ^ word) * names.FNV_PRIME) & names.HASH_MASK
                word = np.int64(names.FNV_START)
                worth = np.int64(UNIT) if alone == 0 else UNIT // alone
                units += worth
            word = (((word ^ point) * names.FNV_PRIME) & names.HASH_MASK) | 1
            if kind == u.LETTER:
                letters += 1
                upper += properties & u.UPPER != 0
            elif kind != u.MARK:
                digits += 1
            last = np.int64(0)
            if alone == 0:
                continue
        if worth:
            bits = bits_of(known, word, bit)
            title += worth * (bits & 1)
            about += worth * (bits >> 1)
            whole = ((whole ^ word) * names.FNV_PRIME) & names.HASH_MASK
        word = np.int64(0)
        worth = np.int64(0)
        if properties & u.TERMINAL:
            terminals += 1
            last = np.int64(1)
        elif kind == u.PUNCTUATION:
            punctuation += 1
            if point == 58:
                last = np.int64(0)
        elif kind == u.SYMBOL:
            symbols += 1
            if point == _COPYRIGHT:
                rights = np.int64(1)
        elif point == 10:
            lines += 1
    if worth:
        bits = bits_of(known, word, bit)
        title += worth * (bits & 1)
        about += worth * (bits >> 1)
        whole = ((whole ^ word) * names.FNV_PRIME) & names.HASH_MASK
    found[UNITS], found[LETTERS], found[DIGITS], found[UPPER] = units, letters, digits, upper
    found[SYMBOLS], found[PUNCTUATION], found[TERMINALS], found[LINES] = symbols, punctuation, terminals, lines
    found[FIRST], found[LAST], found[TEXT] = beginning, last, whole
    found[TITLE], found[ABOUT], found[RIGHTS] = title, about, rights


# Bounds: spans of blocks lie in the text, heads in the source; both are the scanner's own.
@proven_kernel
def measure(source: Any, text: Any, blocks: Any, heads: Any, table: Any, measures: Any, units: Any) -> Any:
    """Measure each block's text into `measures` (blocks, MEASURE_COLUMNS) int64 and `units` (blocks,) float32.

    `heads` (n, 3) are a bit (1 title, 2 description) and a span of the source; their words are looked for in the text.
    """
    known = np.zeros((_MASK + 2, 2), np.int64)
    spare = np.zeros(MEASURE_COLUMNS, np.int64)
    for head in range(len(heads)):
        measure_span(source, heads[head, 1], heads[head, 2], table, known, heads[head, 0], spare)
    for block in range(len(blocks)):
        start, end = blocks[block, layout.START], blocks[block, layout.END]
        measure_span(text, start, end, table, known, np.int64(0), measures[block])
        units[block] = np.float32(measures[block, UNITS]) / np.float32(UNIT)
