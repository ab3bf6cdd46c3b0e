"""Where pre-tokens end, two loads a byte: one finds the kind of a character, one moves the automaton.

No branch depends on the text but where the automaton does not know, so the processor foresees them all: ends are
written at every byte, and kept by adding to their number. Kinds are found along the bytes of a character, as in a trie.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from tamis.tokenize import classes
from tamis.tokenize.automaton import (
    ALIKE,
    ASK,
    BEHIND,
    CLEAN,
    ENDS,
    FIRST,
    KINDS,
    MID,
    ODD,
    SIZED,
    STATE,
    Moves,
)  # fmt: skip
from tamis.tokenize.merge import Slots
from tamis.tokenize.split import Bytes, next_end
from tamis.tokenize.unchecked import unchecked

# A cell: the kind of a character, its size - 1, and the row of cells for the next byte.
KIND, SIZE, ROW = 31, 5, 7
CELLS = 256  # of a row; bytes that may not follow are odd
_BLOCKS = {2: (2, 32), 3: (32, 1 << 10), 4: (1 << 10, 17 << 10)}  # of 64 characters of so many bytes: first, end
SPARE = 32  # `scan` stops where there is room for fewer ends

Paths = npt.NDArray[np.uint32]


def kinds() -> Paths:
    """Return the kind of every code point, shape (0x110000,)."""
    names = {"upper": classes.UPPER, "lower": classes.LOWER, "letter": classes.LETTER, "mark": classes.MARK}
    names |= {"number": classes.NUMBER, "wide": classes.SPACE, "symbol": 0}
    order = {name: FIRST + place for place, name in enumerate(KINDS)}
    by_flags = np.full(256, ODD, np.uint32)
    for name, flags in names.items():
        by_flags[flags] = order[name]
    found = by_flags[classes.table()]
    for name, letter in KINDS.items():
        if letter.isascii():
            found[[ord(other) for other in ALIKE.get(name, letter)]] = order[name]
    found[0x17F] = ODD  # ſ, an s where case is ignored
    return found


@cache
def paths() -> Paths:
    """Return cells by row and byte, shape (rows * CELLS,), read-only; the first row is for the first byte."""
    rows = [np.full(CELLS, ODD, np.uint32)]
    rows[0][:128] = kinds()[:128]
    known: dict[bytes, int] = {}

    def row(cells: Paths) -> int:
        """Return a cell that leads to the row with these cells for continuation bytes."""
        key = cells.tobytes()
        if key not in known:
            known[key] = len(rows) * CELLS << ROW | MID
            rows.append(np.full(CELLS, ODD, np.uint32))
            rows[-1][128:192] = cells
        return known[key]

    def above(cells: Paths) -> Paths:
        return np.array([row(each) for each in cells.reshape(-1, 64)], np.uint32)

    def last(size: int) -> Paths:
        """Return cells that lead to the last byte; what could be written shorter is odd."""
        first, end = _BLOCKS[size]
        cells = (kinds()[: end << 6] | (size - 1) << SIZE).astype(np.uint32)
        cells[: first << 6] = ODD
        return above(cells)

    rows[0][0xC0:0xE0] = last(2)
    rows[0][0xE0:0xF0] = above(last(3))
    rows[0][0xF0:0xF8] = above(above(np.concatenate([last(4), np.full(15 << 10, ODD, np.uint32)])))
    table = np.concatenate(rows)
    table.setflags(write=False)
    return table


@unchecked
def scan(
    data: Bytes,
    bounds: Slots,
    place: Slots,
    flags: classes.Classes,
    paths: Paths,
    moves: Moves,
    pattern: int,
    digits: int,
    ends: Slots,
) -> int:
    """Write the ends of pre-tokens to `ends` until few more fit or all texts are done, and return their number.

    `place` is where to go on, shape (5,), at first zeros but for bounds[0] twice: the text, the last end, the next
    byte, the automaton's state and the row of cells.

    No bounds are checked: a cell leads to a row of 256, a move to a state of 32 kinds; one end is written a byte, of
    which no more are read than ends fit.
    """
    row, start, at, state, cells = place[0], place[1], place[2], place[3], place[4]
    found, rows = 0, len(bounds) - 1
    while row < rows and found <= len(ends) - SPARE:
        stop, asks = bounds[row + 1], np.int64(0)
        limit = min(stop, at + len(ends) - 1 - found)
        while at < limit:
            cell = np.int64(paths[cells + np.int64(data[at])])
            move = np.int64(moves[state + (cell & KIND)])
            at += 1
            ends[found] = at - ((cell >> SIZE & move >> SIZED & 3) + (move >> BEHIND & 7))
            found += int(move >> ENDS & 1)
            state, cells = move & STATE, cell >> ROW
            asks = move >> ASK
            if asks:
                break
        if found > 0:
            start = ends[found - 1]
        if (asks or at == stop) and start < stop:
            clean = not asks and cells == 0 and moves[state + ODD] >> CLEAN & 1
            at = stop if clean else next_end(data, start, stop, flags, pattern, digits)
            ends[found], start, state, cells = at, at, 0, 0
            found += 1
        if at == stop and start == stop:
            row, state, cells = row + 1, 0, 0
    place[0], place[1], place[2], place[3], place[4] = row, start, at, state, cells
    return found
