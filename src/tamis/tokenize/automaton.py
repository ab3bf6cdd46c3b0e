"""Splitting as a finite automaton over kinds of characters, derived from the kernels of `split` and kept as a table.

A state stands for all beginnings of a pre-token after which the same will happen: they are told apart by where
`next_end` sees the first end when up to two characters of every kind follow (Nerode 1958). A move says whether an end
is known by now, and where; where several are, or one lies behind characters that may have any number of bytes, it says
that `split` must be asked. `data/automata.tsv` is what `derive` gives, which a test repeats.
"""

from __future__ import annotations

import itertools
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from tamis.tokenize import classes
from tamis.tokenize.split import CL100K, GPT2, O200K, next_end

# Kinds of characters with one of each; those of more than one byte stand for characters of any number of bytes.
KINDS = {
    "lower": "é", "s": "s", "r": "r", "e": "e", "l": "l", "upper": "É", "S": "S", "R": "R", "E": "E", "L": "L",
    "letter": "中", "mark": "\u0301", "number": "٣", "space": " ", "tab": "\t", "wide": "\xa0", "break": "\n",
    "symbol": "—", "quote": "'", "slash": "/",
}  # fmt: skip
ALIKE = {"s": "stmd", "r": "rv", "S": "STMD", "R": "RV", "tab": "\t\v\f", "break": "\r\n"}  # of one byte, and one kind
SPLITS = [(GPT2, 0), *itertools.product((CL100K, O200K), range(4))]
NEVER = 1 << 20
_FURTHEST = 3  # bytes between an end and the character that tells of it

# A move: the next state, and where an end is known how many bytes lie between it and the character; None: ask.
Move = tuple[int, int | None] | None
AFTER = -1  # the end lies behind the character
Moves = npt.NDArray[np.uint32]

# A move as the kernel reads it: the next state in the low bits, so that a kind may be added to it; then flags.
STRIDE, STATE = 32, 0xFE0
ENDS, SIZED, BEHIND, ASK, CLEAN = 12, 13, 15, 18, 19
MID, ODD, FIRST = 0, 1, 2  # kinds: inside a character; one that the automaton does not know; those above


Ends = tuple[tuple[int, ...], ...]


@lru_cache(1 << 10)
def _ends(text: bytes, pattern: int, digits: int) -> Ends:
    """Return where pre-tokens end, the last left out, when nothing, one or two characters follow."""
    return tuple(_cut(text + after, pattern, digits) for after in _following())


@cache
def _following() -> tuple[bytes, ...]:
    ones = [letter.encode() for letter in KINDS.values()]
    return (b"", *ones, *(one + two for one in ones for two in ones))


def _cut(text: bytes, pattern: int, digits: int) -> tuple[int, ...]:
    data, ends, flags = np.frombuffer(text, np.uint8), [0], classes.table()
    while ends[-1] < len(text):
        ends.append(next_end(data, ends[-1], len(text), flags, pattern, digits))
    return tuple(ends[1:-1])


def _first(ends: Ends) -> set[int]:
    """Return where the first pre-token may end, given that text follows; NEVER where its end is not seen."""
    return {each[0] if each else NEVER for each in ends[1:]}


def _decided(ends: Ends, size: int) -> bool:
    """Return whether the first end lies within the text of this size, whatever follows."""
    first = _first(ends)
    return len(first) == 1 and min(first) <= size


def derive(pattern: int, digits: int) -> list[tuple[bool, list[Move]]]:
    """Return the states, the first at the start of a pre-token: whether its text is one pre-token where the text ends,
    and a move for each of KINDS."""
    states: dict[Ends, int] = {}
    texts: list[bytes] = []

    def state_of(text: bytes, ends: Ends) -> int:
        seen = tuple(tuple(end - len(text) for end in each) for each in ends)
        if seen not in states:
            states[seen] = len(texts)
            texts.append(text)
        return states[seen]

    def move(text: bytes, letter: bytes) -> Move:
        longer = text + letter
        ends = _ends(longer, pattern, digits)
        if not _decided(ends, len(longer)):
            pending = [longer[end:] for end in _first(ends)]
            return (state_of(longer, ends), None) if all(map(_plain, pending)) else None
        rest = longer[min(_first(ends)) :]
        if not rest:
            return 0, AFTER
        ends = _ends(rest, pattern, digits)
        if not _plain(rest[: -len(letter)]) or _decided(ends, len(rest)):
            return None
        return state_of(rest, ends), len(rest) - len(letter)

    state_of(b"", _ends(b"", pattern, digits))
    found: list[tuple[bool, list[Move]]] = []
    while len(found) < len(texts):
        text = texts[len(found)]
        moves = [move(text, letter.encode()) for letter in KINDS.values()]
        found.append((not _cut(text, pattern, digits), moves))
    return found


def _plain(rest: bytes) -> bool:
    """Return whether an end may be told of from behind these bytes: few, and each a kind of one byte."""
    return len(rest) <= _FURTHEST and rest.isascii()


def as_tsv() -> str:
    """Return all automata as the text of `automata.tsv`; `3`: to state 3; `3<1`: end a byte before; `0>`: after."""
    rows = ["\t".join(["pattern", "digits", "state", "clean", *KINDS])]
    for pattern, digits in SPLITS:
        for state, (clean, moves) in enumerate(derive(pattern, digits)):
            cells = [str(value) for value in (pattern, digits, state, int(clean))]
            rows.append("\t".join(cells + [_written(each) for each in moves]))
    return "\n".join([*rows, ""])


def _written(move: Move) -> str:
    if move is None:
        return "?"
    state, behind = move
    return f"{state}" if behind is None else f"{state}>" if behind == AFTER else f"{state}<{behind}"


@cache
def moves(pattern: int, digits: int) -> Moves:
    """Return the automaton of a pattern as `scan` reads it, shape (states * STRIDE,), read-only."""
    rows = (files("tamis.tokenize") / "data" / "automata.tsv").read_text("ascii").split("\n")[1:]
    own = [row.split("\t") for row in rows if row.startswith(f"{pattern}\t{digits}\t")]
    table = np.zeros((len(own), STRIDE), np.uint32)
    for state, cells in enumerate(own):
        table[state, MID] = state * STRIDE
        table[state, ODD] = 1 << ASK | int(cells[3]) << CLEAN
        table[state, FIRST : FIRST + len(KINDS)] = [_packed(cell) for cell in cells[4:]]
    table.setflags(write=False)
    return table.reshape(-1)


def _packed(cell: str) -> int:
    if cell == "?":
        return 1 << ASK
    state, mark, behind = cell.partition("<") if "<" in cell else cell.partition(">")
    ends = {"": 0, ">": 1 << ENDS, "<": 1 << ENDS | 3 << SIZED | (int(behind or 0) + 1) << BEHIND}[mark]
    return int(state) * STRIDE | ends
