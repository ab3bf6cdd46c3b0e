"""The automata beside the kernels they come from, whose ends are those of the regular expressions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.tokenize import automaton, classes
from tamis.tokenize.scan import CELLS, KIND, ROW, SPARE, kinds, paths, scan
from tamis.tokenize.split import next_end
from tamis.tokenize.unchecked import unchecked

POOL = [
    *automaton.KINDS.values(),
    *"aZ07!ſK\r\x00",
    "\u3000",
    "\x85",
    "ไ",
    "ि",
    "ー",
    "ǅ",
    "ª",
    "Ⅷ",
    "😀",
    "\U000e0100",
]
TEXT = st.lists(st.one_of(st.sampled_from(POOL), st.characters(exclude_categories=["Cs"])), max_size=40).map("".join)


@unchecked
def one_by_one(data, bounds, flags, pattern, digits, ends):
    found = 0
    for row in range(len(bounds) - 1):
        at = bounds[row]
        while at < bounds[row + 1]:
            at = next_end(data, at, bounds[row + 1], flags, pattern, digits)
            ends[found] = at
            found += 1
    return found


@unchecked
def in_parts(data, bounds, flags, paths, moves, pattern, digits, part, ends):
    place, found = np.zeros(5, np.int64), 0
    place[1] = place[2] = bounds[0]
    while place[0] < len(bounds) - 1:
        count = scan(data, bounds, place, flags, paths, moves, pattern, digits, part)
        ends[found : found + count] = part[:count]
        found += count
    return found


def both(texts: list[bytes], pattern: int, digits: int, room: int = 2 * SPARE):
    data, bounds = np.frombuffer(b"".join(texts) or b"\0", np.uint8), np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=bounds[1:])
    right, found = np.zeros(len(data), np.int64), np.zeros(len(data), np.int64)
    count = one_by_one(data, bounds, classes.table(), pattern, digits, right)
    moves, part = automaton.moves(pattern, digits), np.zeros(room, np.int64)
    ours = in_parts(data, bounds, classes.table(), paths(), moves, pattern, digits, part, found)
    return found[:ours].tolist(), right[:count].tolist()


@pytest.mark.parametrize(("pattern", "digits"), automaton.SPLITS)
@settings(deadline=None, max_examples=60)
@given(texts=st.lists(TEXT, max_size=6), room=st.sampled_from([SPARE, SPARE + 1, 256]))
def test_ends_are_those_of_the_kernels(pattern, digits, texts, room):
    found, right = both([text.encode() for text in texts], pattern, digits, room)
    assert found == right


@pytest.mark.parametrize(("pattern", "digits"), automaton.SPLITS)
def test_every_row_of_four_kinds_is_cut_right(pattern, digits):
    letters = [letter.encode() for letter in automaton.KINDS.values()]
    texts = [b"".join(row) for size in (1, 2, 3, 4) for row in itertools.product(letters, repeat=size)]
    found, right = both(texts, pattern, digits, 256)
    assert found == right
    found, right = both([b"".join(texts)], pattern, digits, 256)
    assert found == right


def test_every_character_is_cut_right():
    letters = [chr(point).encode() for point in (*range(0xD800), *range(0xE000, 0x110000))]
    for pattern, digits in automaton.SPLITS[::4]:
        for texts in ([b"".join(letters)], [b"a%bb" % letter for letter in letters]):
            found, right = both(texts, pattern, digits, 256)
            assert found == right


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(st.binary(max_size=50), max_size=8), split=st.sampled_from(automaton.SPLITS))
def test_ends_of_damaged_text_ascend_within_it(texts, split):
    found, _ = both(texts, *split)
    assert all(one < two for one, two in itertools.pairwise([0, *found]))
    assert set(itertools.accumulate(len(text) for text in texts if text)) <= set(found)
    assert not found or found[-1] == sum(map(len, texts))


def test_cells_lead_to_cells_and_moves_to_states():
    cells = paths()
    assert len(cells) % CELLS == 0
    assert ((cells >> ROW) % CELLS == 0).all()
    assert (cells >> ROW).max() + CELLS <= len(cells)
    assert (cells & KIND).max() < automaton.FIRST + len(automaton.KINDS) <= automaton.STRIDE
    assert kinds()[ord("t")] == kinds()[ord("s")] != kinds()[ord("a")]
    for split in automaton.SPLITS:
        moves = automaton.moves(*split)
        assert (moves & automaton.STATE).max() + automaton.STRIDE <= len(moves) <= automaton.STATE + automaton.STRIDE


@pytest.mark.slow
def test_the_automata_are_those_of_the_kernels():
    path = automaton.files("tamis.tokenize") / "data" / "automata.tsv"
    assert automaton.as_tsv() == path.read_text("ascii")
