"""Unicode predicates from tables: one 32-bit word per code point says all that a filter asks of a character.

Letters are L*, with M* and joiners belonging to the letter they follow; sentence ends are those of every script.
The predicates of Python and of ASCII are not used anywhere: they call Hindi, Thai and Tamil words no words.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.text.inline import inlined

# Bits 0-3: the class of a code point.
CLASS_MASK = 0xF
OTHER, LETTER, MARK, DIGIT, NUMBER, PUNCTUATION, SYMBOL, SPACE, BREAK, CONTROL, FORMAT, ZERO_WIDTH_SPACE = range(12)

# Bits 4-7 and 16-21: flags.
TERMINAL = 1 << 4
CLOSER = 1 << 5
MID_LETTER = 1 << 6
MID_NUMBER = 1 << 7
SCRIPT_SHIFT = 8
SCRIPT_MASK = 0xFF
UPPER = 1 << 16
PYTHON_SPACE = 1 << 17
PYTHON_BREAK = 1 << 18
DT_PUNCTUATION = 1 << 19
DT_STOP = 1 << 20
# Letters of a script whose prose need not mark where sentences end: it leaves a space, or nothing.
UNMARKED_END = 1 << 21

# Bits 22-25: letters in a unit of a script without spaces (0: the script has spaces).
# Bits 26-31: what a letter of the script is worth, in sixteenths of a Latin letter. Both are calibrated by script.
UNIT_SHIFT = 22
UNIT_MASK = 0xF
WORTH_SHIFT = 26
LETTER_WORTH = 16

# Marks an entry of the folding table that stands for several code points.
EXPANDED = 1 << 31


# The tables lie in one array, because a kernel's every array costs its callers seven words: first where the page of
# each block of 256 code points begins, then the same for folding, then PLAIN, the pages, ASCII's first, the expansions.
# PLAIN holds for each byte that is an ASCII letter or digit its lower case, else 0.
BLOCKS = 0x110000 >> 8
PLAIN = 2 * BLOCKS
# Armenian ends sentences with ։, and is as often typed with the colon that looks like it.
ARMENIAN = 7
ASCII = PLAIN + 256

Table = npt.NDArray[np.uint32]


@cache
def scripts() -> tuple[str, ...]:
    """Return the ISO 15924 code of each script id; 0 is Zyyy (common), 1 Zinh (inherited)."""
    with _open("unicode.npz") as stored:
        return tuple(str(name) for name in stored["scripts"])


@cache
def table() -> Table:
    """Return all tables in one array, with the calibration of `scripts.tsv` set in.

    The word of c is `table[table[c >> 8] + (c & 255)]`, its folding `table[table[BLOCKS + (c >> 8)] + (c & 255)]`.
    """
    with _open("unicode.npz") as stored:
        pages, fold_pages, expansions = _calibrated(stored["pages"]), stored["fold_pages"], stored["expansions"]
        folds, long = ASCII + len(pages), ASCII + len(pages) + len(fold_pages)
        fold_pages = np.where(fold_pages & EXPANDED, fold_pages + np.uint32(long), fold_pages)
        parts = [stored["index"] + ASCII, stored["fold_index"] + folds, _plain(), pages, fold_pages, expansions]
    found: Table = np.concatenate([part.astype(np.uint32) for part in parts])
    found.setflags(write=False)
    return found


def properties(character: str) -> int:
    """Return the 32-bit word of one character."""
    found, code = table(), ord(character)
    return int(found[found[code >> 8] + (code & 255)])


def _plain() -> Table:
    codes = np.arange(256, dtype=np.uint32)
    upper, lower, digit = (codes - 65 < 26), (codes - 97 < 26), (codes - 48 < 10)
    return np.where(upper, codes + 32, np.where(lower | digit, codes, 0)).astype(np.uint32)


def _open(name: str) -> np.lib.npyio.NpzFile:
    with resources.as_file(resources.files("tamis.text").joinpath("data", name)) as path:
        stored: np.lib.npyio.NpzFile = np.load(path)
        return stored


def _calibrated(pages: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    units, worths = np.zeros(256, np.uint32), np.full(256, LETTER_WORTH, np.uint32)
    unmarked = np.zeros(256, np.uint32)
    text = resources.files("tamis.text").joinpath("data", "scripts.tsv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines(), delimiter="\t"):
        number = scripts().index(row["script"])
        units[number], worths[number] = int(row["unit_letters"]), int(row["letter_worth"])
        unmarked[number] = UNMARKED_END * int(row["unmarked_end"])
    script = (pages >> SCRIPT_SHIFT) & SCRIPT_MASK
    kind = pages & CLASS_MASK
    worth = np.where(kind == LETTER, worths[script], np.where((kind == DIGIT) | (kind == NUMBER), LETTER_WORTH, 0))
    letters = (kind == LETTER) | (kind == MARK)
    unit = np.where(letters, units[script], 0).astype(np.uint32) << UNIT_SHIFT
    ends = np.where(letters, unmarked[script], 0).astype(np.uint32)
    return (pages | ends | unit | (worth.astype(np.uint32) << WORTH_SHIFT)).astype(np.uint32)


@inlined
def decode(data: Any, at: Any, end: Any) -> Any:
    """Return (code point, next position) at `at` < `end`; a byte that is no UTF-8 reads as U+FFFD, and is one byte."""
    lead = np.int64(data[at])
    if lead < 0x80:
        return lead, at + 1
    size = 2 if 0xC2 <= lead < 0xE0 else 3 if 0xE0 <= lead < 0xF0 else 4 if 0xF0 <= lead < 0xF5 else 0
    if size == 0 or at + size > end:
        return np.int64(0xFFFD), at + 1
    point = lead & (0x7F >> size)
    for step in range(1, size):
        follows = np.int64(data[at + step])
        if follows & 0xC0 != 0x80:
            return np.int64(0xFFFD), at + 1
        point = (point << 6) | (follows & 0x3F)
    return min(point, np.int64(0x10FFFF)), at + size


@inlined
def look_up(table: Any, point: Any) -> Any:
    """Return the 32-bit word of a code point, as int64."""
    return np.int64(table[np.int64(table[point >> 8]) + (point & 255)])
