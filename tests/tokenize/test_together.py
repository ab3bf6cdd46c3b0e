"""Merging side by side, beside merging one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.tokenize.merge import EMPTY, SCAN_LIMIT, byte_ranks, fill_pairs, merge
from tamis.tokenize.together import LETTERS, ROW, WORDS, merge_together


@st.composite
def rules(draw):
    """Return merges over bytes 97 to 100, as ids to the left and right; merge i makes id 256 + i."""
    known, pairs = [97, 98, 99, 100], []
    for _ in range(draw(st.integers(1, 25))):
        pair = (draw(st.sampled_from(known)), draw(st.sampled_from(known)))
        if pair not in pairs:
            known.append(256 + len(pairs))
            pairs.append(pair)
    return np.array(pairs, np.int32).T.copy()


@settings(deadline=None, max_examples=150)
@given(pairs=rules(), words=st.lists(st.text("abcd", max_size=LETTERS), min_size=1, max_size=WORDS))
def test_words_together_merge_as_each_alone(pairs, words):
    slots = np.full(256, EMPTY, np.int64)
    fill_pairs(pairs[0], pairs[1], slots)
    letters, merged = np.arange(256, dtype=np.int32), np.arange(256, 256 + pairs.shape[1], dtype=np.int32)
    first, data = byte_ranks(letters, slots), np.frombuffer("".join(words).encode() or b"a", np.uint8)
    sizes = np.array([len(word) for word in words], np.int64)
    starts = np.cumsum(sizes) - sizes
    ids, counts = np.zeros(WORDS * ROW, np.int32), np.zeros(WORDS, np.int64)
    merge_together(data, starts, sizes, len(words), ids, counts, letters, first, slots, merged)
    alone, work = np.zeros(LETTERS, np.int32), np.empty((3, SCAN_LIMIT), np.int32)
    for word, (start, size) in enumerate(zip(starts.tolist(), sizes.tolist(), strict=True)):
        count = merge(data, start, start + size, alone, work, letters, first, slots, merged) if size else 0
        assert ids[word * ROW : word * ROW + counts[word]].tolist() == alone[:count].tolist()
