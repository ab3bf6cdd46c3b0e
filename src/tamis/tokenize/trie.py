"""A double array over byte strings: the tokens that start at a place are found in a step a byte (Aoe 1989).

Children of a state stand at its base + byte and name it as their owner. A state is placed where its children fit, from
the first place on that is not in a crowded stretch, as in Darts (Kudo 2001). A state is one word: its base, its owner
and its token + 1, or 0 for none, in 21 bits each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tamis.tokenize.split import Bytes
from tamis.tokenize.unchecked import unchecked

BITS = 21
FIELD = (1 << BITS) - 1
_CROWDED = 0.95

Trie = npt.NDArray[np.int64]
_Table = npt.NDArray[np.int32]


def build(spelling: list[bytes]) -> Trie:
    """Return the trie of the strings, shape (states,), int64; string i is token i, empty ones are left out.

    The root is state 0. Any byte may be added to any base. Raises ValueError where there are too many states.
    """
    order = sorted((number for number, token in enumerate(spelling) if token), key=spelling.__getitem__)
    offsets = np.zeros(len(order) + 1, np.int64)
    np.cumsum([len(spelling[number]) for number in order], out=offsets[1:])
    arena = np.frombuffer(b"".join(spelling[number] for number in order) or b"\0", np.uint8)
    states = fill(arena, offsets, np.array(order, np.int32)).astype(np.int64)
    if len(states) > FIELD:
        raise ValueError("its tokens need too many states")
    owner = np.where(states[:, 1] < 0, FIELD, states[:, 1])
    return states[:, 0] | owner << BITS | states[:, 2] + 1 << 2 * BITS


@unchecked
def roomy(states: _Table, least: int) -> _Table:
    """Return the table with at least so many states, the new ones free."""
    if least <= len(states):
        return states
    wider = free(2 * least)
    wider[: len(states)] = states
    return wider


@unchecked
def free(count: int) -> _Table:
    """Return states as (base, owner, token), free: base 0, no owner and no token."""
    states = np.full((count, 3), -1, np.int32)
    states[:, 0] = 0
    return states


@unchecked
def children(arena: Bytes, offsets: npt.NDArray[np.int64], first: int, last: int, depth: int, found: _Table) -> int:
    """Write the bytes that follow at `depth` in the sorted strings [first, last), with the first string of each."""
    count = 0
    for number in range(first, last):
        if offsets[number + 1] - offsets[number] > depth:
            byte = arena[offsets[number] + depth]
            if count == 0 or found[count - 1, 0] != byte:
                found[count, 0], found[count, 1] = byte, number
                count += 1
    found[count, 1] = last
    return count


@unchecked
def fits(states: _Table, base: int, found: _Table, count: int) -> bool:
    """Return whether the places of all children are free."""
    taken = 0
    for child in range(count):
        taken += states[base + found[child, 0], 1] >= 0
    return taken == 0


@unchecked
def fill(arena: Bytes, offsets: npt.NDArray[np.int64], order: _Table) -> _Table:
    """Return the states for sorted strings, shape (n, 3); `order` has the token of each.

    States that wait for their children are on a stack, as (state, first string, last, depth).
    """
    states = free(1024)
    states[0, 1] = 0
    found = np.empty((257, 2), np.int32)
    stack = [(0, 0, len(order), 0)]
    start, used = 1, 1
    while stack:
        state, first, last, depth = stack.pop()
        if first < last and offsets[first + 1] - offsets[first] == depth:
            states[state, 2] = order[first]
            first += 1
        count = children(arena, offsets, first, last, depth, found)
        if count == 0:
            continue
        place, taken = max(start, found[0, 0] + 1), 0
        states = roomy(states, place + 512)
        while not fits(states, place - found[0, 0], found, count):
            taken += states[place, 1] >= 0
            place += 1
            states = roomy(states, place + 512)
        if taken > _CROWDED * (place - start + 1):
            start = place
        base = place - found[0, 0]
        states[state, 0] = base
        for child in range(count):
            states[base + found[child, 0], 1] = state
            stack.append((base + found[child, 0], found[child, 1], found[child + 1, 1], depth + 1))
        used = max(used, base + 256)
    return states[: used + 256]
