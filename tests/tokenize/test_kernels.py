"""The kernels beside plain Python: pre-tokens beside the regular expressions, merges beside the textbook loop."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from tamis.tokenize import classes
from tamis.tokenize.backtrack import backtrack, longest, proofs
from tamis.tokenize.merge import EMPTY, SCAN_LIMIT, byte_ranks, fill_pairs, heap_merge, merge
from tamis.tokenize.split import _CL100K, _DIGITS, _GPT2, _O200K, CL100K, GPT2, O200K, next_end, recognise
from tamis.tokenize.trie import build

CASES = [(GPT2, 0, _GPT2)] + [
    (number, digits, known.replace("DIGITS", written))
    for number, known in ((CL100K, _CL100K), (O200K, _O200K))
    for written, digits in _DIGITS.items()
]
POOL = [*list(" \t\n\r\xa0\u3000\x85'sSlLſaBßǅʰ0٣²Ⅷ.!/_-"), "'LL", "'re", "中", "ー", "ไ", "ि", "́", "😀", "\u200d"]
TEXT = st.lists(st.one_of(st.sampled_from(POOL), st.characters(exclude_categories=["Cs"])), max_size=30).map("".join)


@pytest.mark.parametrize(("pattern", "digits", "regex"), CASES)
@settings(deadline=None, max_examples=120)
@given(text=TEXT)
def test_pre_tokens_are_those_of_the_regular_expression(pattern, digits, regex, text):
    data, flags = np.frombuffer(text.encode(), np.uint8), classes.table()
    found, at = [], 0
    while at < len(data):
        end = next_end(data, at, len(data), flags, pattern, digits)
        assert end > at
        found.append(data[at:end].tobytes().decode())
        at = end
    assert found == [part for part, _ in pre_tokenizers.Split(Regex(regex), "isolated").pre_tokenize_str(text)]


@settings(deadline=None, max_examples=100)
@given(data=st.binary(min_size=1, max_size=40), pattern=st.sampled_from([GPT2, CL100K, O200K]))
def test_bytes_that_are_no_utf8_are_walked_within_bounds(data, pattern):
    array, at = np.frombuffer(data, np.uint8), 0
    while at < len(array):
        end = next_end(array, at, len(array), classes.table(), pattern, 3)
        assert at < end <= len(array)
        at = end


def test_the_class_table_is_the_installed_librarys():
    assert classes.as_tsv(classes.derive()) == classes.as_tsv(classes.table())


def test_patterns_are_recognised_as_files_write_them():
    byte_step = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    for number, digits, regex in CASES:
        split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
        assert recognise({"type": "Sequence", "pretokenizers": [split, byte_step]}) == (number, digits)
        split = split | {"behavior": "Removed", "invert": True}
        assert recognise({"type": "Sequence", "pretokenizers": [split, byte_step]}) == (number, digits)
        split = split | {"invert": False}
        assert recognise({"type": "Sequence", "pretokenizers": [split, byte_step]}) is None
    assert recognise({"type": "ByteLevel", "add_prefix_space": False}) == (GPT2, 0)
    assert recognise({"type": "ByteLevel", "add_prefix_space": True}) is None
    assert recognise({"type": "Metaspace"}) is None
    assert recognise(None) is None


def textbook(ids: list[int], ranks: dict[tuple[int, int], int], merged: list[int]) -> list[int]:
    """Merge the pair of the lowest rank, the leftmost of equals, until none is left."""
    while True:
        found = [(ranks[pair], place) for place, pair in enumerate(itertools.pairwise(ids)) if pair in ranks]
        if not found:
            return ids
        rank, place = min(found)
        ids = [*ids[:place], merged[rank], *ids[place + 2 :]]


@st.composite
def merges(draw):
    """Return merges over bytes 97..100, each of two tokens known before it."""
    known, pairs = [97, 98, 99, 100], []
    for rank in range(draw(st.integers(1, 25))):
        pair = (draw(st.sampled_from(known)), draw(st.sampled_from(known)))
        if pair not in pairs:
            pairs.append(pair)
            known.append(256 + rank)
    return pairs, known[4:]


@settings(deadline=None, max_examples=200)
@given(rules=merges(), text=st.text("abcd", min_size=1, max_size=3 * SCAN_LIMIT))
def test_scan_and_heap_merge_as_the_textbook_does(rules, text):
    pairs, merged = rules
    slots = np.full(256, EMPTY, np.int64)
    fill_pairs(*(np.array(side, np.int32) for side in zip(*pairs, strict=True)), slots)
    targets, letters = np.array(merged, np.int32), np.arange(256, dtype=np.int32)
    data = np.frombuffer(text.encode(), np.uint8)
    right = textbook(list(text.encode()), {pair: rank for rank, pair in enumerate(pairs)}, merged)
    ids, work = np.empty(len(data), np.int32), np.empty((3, SCAN_LIMIT), np.int32)
    count = merge(data, 0, len(data), ids, work, letters, byte_ranks(letters, slots), slots, targets)
    assert ids[:count].tolist() == right
    ids = data.astype(np.int32)
    assert ids[: heap_merge(len(ids), ids, slots, targets)].tolist() == right


@pytest.mark.slow
def test_damaged_text_stays_within_bounds_with_the_checks_on(tmp_path):
    script = """
import numpy as np, pyarrow as pa
from tamis.tokenize import load
engine, random = load("default")._engine, np.random.default_rng(3)
for size in (1, 7, 8, 9, 31, 33, 70, 300):
    data = random.integers(0, 256, 40 * size).astype(np.uint8)
    offsets = np.arange(0, len(data) + 1, size).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    texts = pa.Array.from_buffers(pa.large_string(), len(offsets) - 1, buffers)
    assert engine.encode(texts)[0].sum() == engine.count(texts).sum() > 0
"""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=250)


def backtracked(rules, text):
    """Return a text's tokens by number without merging, and by the textbook, and how tokens are spelt."""
    pairs, labels = rules
    numbers = {label: 256 + rank for rank, label in enumerate(labels)}
    lefts, rights = ([numbers.get(token, token) for token in side] for side in zip(*pairs, strict=True))
    slots = np.full(256, EMPTY, np.int64)
    sides = [np.array(side, np.int32) for side in (lefts, rights)]
    fill_pairs(*sides, slots)
    spelling = [bytes([byte]) for byte in range(256)]
    for left, right in zip(lefts, rights, strict=True):
        spelling.append(spelling[left] + spelling[right])
    first = byte_ranks(np.arange(256, dtype=np.int32), slots)
    found, data = np.empty(len(text), np.int32), np.frombuffer(text.encode(), np.uint8)
    tables = proofs(*sides, spelling, first, slots)
    count = backtrack(data, 0, len(data), found, *tables, slots)
    ranks = {(left, right): rank for rank, (left, right) in enumerate(zip(lefts, rights, strict=True))}
    return found[:count].tolist(), textbook(list(data), ranks, list(range(256, 256 + len(lefts)))), spelling


@settings(deadline=None, max_examples=200)
@given(rules=merges(), text=st.text("abcd", min_size=1, max_size=150))
def test_backtracking_gives_what_merging_gives(rules, text):
    found, right, spelling = backtracked(rules, text)
    if len(set(spelling)) == len(spelling):  # each token of one merge
        assert found == right


@settings(deadline=None, max_examples=80)
@given(
    strings=st.sets(st.binary(min_size=1, max_size=5), min_size=1, max_size=60), text=st.binary(min_size=1, max_size=12)
)
def test_the_trie_finds_the_longest(strings, text):
    known = [bytes([byte]) for byte in range(256)] + sorted(string for string in strings if len(string) > 1)
    data = np.frombuffer(text, np.uint8)
    found = longest(data, 0, len(data), build(known))
    assert known[found] == max((string for string in known if text.startswith(string)), key=len)
