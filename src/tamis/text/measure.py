"""One walk over each text that counts all that the quality, repetition and line rules ask for.

Definitions are script-fair: words and worths are those of `words`; a line is what stands between line breaks of any
kind, trimmed (see `lines`). What a column of the counts holds is said at its name. Worths are sixteenths of a Latin
letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text, text_buffers
from tamis.text import unicode as u
from tamis.text.grams import LONGEST, repeated_runs, scratch
from tamis.text.hashing import GOLDEN, absorb, mix
from tamis.text.kernel import kernel
from tamis.text.lines import (
    BULLET,
    CITED,
    ELLIPSIS,
    END,
    ENDED,
    FIELDS,
    FLAGS,
    HASH,
    LONGEST_WORD,
    PARAGRAPH,
    SENTENCES,
    START,
    WORDS,
    WORTH,
    Lines,
)
from tamis.text.stopwords import StopTables, find_stop_word
from tamis.text.words import is_word_start, read_word

COLUMNS = (
    "words",
    "lettered_words",  # words with at least one letter
    "worth",  # of all words
    "symbol_tokens",  # signs standing alone between spaces, sentence marks and brackets aside
    "hashes",  # the sign #
    "ellipses",  # … or three dots
    "stop_words",  # distinct; 0 where the language has no table
    *(f"top_{length}_gram_worth" for length in (2, 3, 4)),
    *(f"repeated_{length}_gram_worth" for length in range(5, LONGEST + 1)),
)
_WORDS, _LETTERED, _WORTH, _SYMBOLS, _HASHES, _ELLIPSES, _STOPS, _GRAMS = range(8)

# A line of a script that need not mark its ends counts as a sentence, not a label, from so many words on; and a
# sentence in it, behind the last that is marked, is taken to have so many: the mean of the Universal Declaration in
# languages that mark theirs.
UNMARKED_WORDS = 8
SENTENCE_WORDS = 20

_CLASS, _SPACE, _BREAK, _CONTROL = u.CLASS_MASK, u.SPACE, u.BREAK, u.CONTROL
_PUNCTUATION, _FORMAT, _GAP = u.PUNCTUATION, u.FORMAT, u.ZERO_WIDTH_SPACE
_TERMINAL, _CLOSER, _UNMARKED = u.TERMINAL, u.CLOSER, u.UNMARKED_END
_ASCII = u.ASCII
_decode, _look_up = u.decode, u.look_up
_SCRIPT_SHIFT, _SCRIPT_MASK, _ARMENIAN, _COLON = u.SCRIPT_SHIFT, u.SCRIPT_MASK, u.ARMENIAN, 0x3A
_ELLIPSIS_SIGN = 0x2026
# What a citation goes on with after its bracket: a digit, or the ], "edit" and "citation needed" of wikis.
_CITATION_BYTES = (0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x5D, 0x63, 0x65)
_BULLET_SIGNS = (0x2D, 0x2A, 0xB7, 0x2022, 0x2023, 0x25E6, 0x25CF, 0x25AA, 0x25A0, 0x25CB)
# Punctuation that is a symbol where it stands alone; sentence marks, brackets, quotes and dashes are not.
_LOOSE_SIGNS = (0x23, 0x25, 0x26, 0x2A, 0x2D, 0x2F, 0x40, 0x5C, 0x5F, 0xB7, 0x2022, 0x2023)
# Whether the signs since the last space touch a word, might be a symbol of their own, or are one.
_TOUCHING, _FRESH, _ALONE = range(3)


@dataclass(frozen=True, slots=True)
class Measured:
    """Counts by text, shape (rows, len(COLUMNS)), int64, and the records of its lines."""

    counts: npt.NDArray[np.int64]
    lines: Lines

    def __getitem__(self, name: str) -> npt.NDArray[np.int64]:
        return self.counts[:, COLUMNS.index(name)]


def measure(
    texts: Sequence[str | None] | pa.Array,
    stop_tables: StopTables,
    *,
    languages: pa.Array | None = None,
    runs: bool = True,
) -> Measured:
    """Return the counts and lines of each text; without `runs` the counts of n-grams are 0, which saves half the time.

    `languages` choose the stop words. A null text counts as an empty one.
    """
    offsets, data = text_buffers(as_text(texts))
    rows, sizes = len(offsets) - 1, np.diff(offsets)
    counts = np.zeros((rows, len(COLUMNS)), np.int64)
    line_offsets = np.zeros(rows + 1, np.int64)
    # A line takes two bytes, its break included; pages of this array that no line reaches are never touched.
    records = np.empty((int(sizes.sum()) // 2 + rows + 1, FIELDS), np.int64)
    which = stop_tables.rows(languages, rows)
    longest = int(sizes.max(initial=0))
    _measure(offsets, data, u.table(), which, stop_tables.keys, runs, longest, counts, line_offsets, records)
    return Measured(counts, Lines(line_offsets, records[: line_offsets[-1]].copy()))


@kernel
def _measure(
    offsets: Any,
    data: Any,
    table: Any,
    which: Any,
    stop_keys: Any,
    runs: Any,
    longest: Any,
    out: Any,
    line_offsets: Any,
    records: Any,
) -> Any:
    """Fill out[row, :] and the records of the lines of each text.

    One long loop, because state that lives in registers is what makes it fast: split into calls it took twice the
    time. A word takes at least two bytes of the text, its border included, which bounds all scratch space.
    """
    most = longest // 2 + 2
    hashes, sums = np.empty(most, np.uint64), np.zeros(most + 1, np.int64)
    rolled, places, groups, times, cells = scratch(most)
    seen = np.full(len(stop_keys) + 1, -1, np.int64)
    line = 0
    for row in range(len(offsets) - 1):
        begin, at, end = offsets[row], offsets[row], offsets[row + 1]
        words, lettered, worth, symbols, marks, ellipses, stops = 0, 0, 0, 0, 0, 0, 0
        line_hash, line_word, line_worth, line_start, line_end, long_word = GOLDEN, 0, 0, at, at, 0
        first, last, last_entry = np.int64(0), np.int64(0), np.int64(0)
        dots, since, sentences, pending, touching, filled, blank, cited = 0, 0, 0, False, _FRESH, False, False, 0
        while at <= end:
            point, after, entry = np.int64(0), at + 1, np.int64(_BREAK)
            if at < end:
                point = np.int64(data[at])
                if point < 0x80:
                    entry = np.int64(table[_ASCII + point])
                else:
                    point, after = _decode(data, at, end)
                    entry = _look_up(table, point)
            kind = entry & _CLASS
            if is_word_start(entry):
                if not filled:
                    first, line_start, filled = point, at, True
                last, last_entry = point, entry
                at, value, its_worth, its_lettered = read_word(data, at, end, table)
                line_end = at
                hashes[words] = value
                words += 1
                worth += its_worth
                long_word = max(long_word, its_worth)
                sums[words] = worth
                lettered += its_lettered
                line_hash = absorb(line_hash, value)
                if which[row] >= 0:
                    slot = find_stop_word(stop_keys, which[row], value)
                    if slot >= 0 and seen[slot] != row:
                        seen[slot] = row
                        stops += 1
                since, pending, touching, dots = since + 1, False, _TOUCHING, 0
                continue
            here, at = at, after
            if kind == _FORMAT:
                continue
            if kind in (_SPACE, _BREAK, _CONTROL, _GAP):
                symbols += touching == _ALONE
                touching = _FRESH
                if pending:
                    sentences, since, pending = sentences + 1, 0, False
                if kind != _BREAK:
                    continue
                if point == 0x0D and at < end and data[at] == 0x0A:
                    at += 1
                if not filled:
                    blank = True
                    continue
                unmarked, in_line = last_entry & _UNMARKED != 0, words - line_word
                if since > 0:
                    sentences += 1 + (since // SENTENCE_WORDS if unmarked else 0)
                flags = cited | (PARAGRAPH if blank else 0)
                if last_entry & _TERMINAL or (unmarked and in_line >= UNMARKED_WORDS):
                    flags |= ENDED
                if last == _ELLIPSIS_SIGN or dots >= 3:
                    flags |= ELLIPSIS
                if first in _BULLET_SIGNS:
                    flags |= BULLET
                record = records[line]
                record[START], record[END], record[WORDS] = line_start - begin, line_end - begin, in_line
                record[WORTH], record[LONGEST_WORD], record[SENTENCES] = worth - line_worth, long_word, sentences
                record[FLAGS], record[HASH] = flags, np.int64(mix(line_hash))
                line += 1
                line_hash, line_word, line_worth, long_word, sentences = GOLDEN, words, worth, 0, 0
                last_entry, last, dots, since, filled, blank, cited = np.int64(0), np.int64(0), 0, 0, False, False, 0
                continue
            # What is left is a sign: punctuation, a symbol, or a code point of no known kind.
            if not filled:
                first, line_start, filled = point, here, True
            line_end = at
            line_hash = absorb(line_hash, np.uint64(point))
            marks += point == 0x23
            if point == 0x2E:
                dots += 1
                ellipses += dots % 3 == 0
            elif not entry & _CLOSER:
                dots = 0
            ellipses += point == _ELLIPSIS_SIGN
            if point == 0x5B and at < end and data[at] in _CITATION_BYTES:
                cited = CITED
            if point == _COLON and (last_entry >> _SCRIPT_SHIFT) & _SCRIPT_MASK == _ARMENIAN:
                entry |= _TERMINAL
            if entry & _TERMINAL:
                if since > 0 and point >= 0x80:
                    sentences, since = sentences + 1, 0
                else:
                    pending = since > 0
            elif not entry & _CLOSER:
                pending = False
                if touching != _TOUCHING and (kind != _PUNCTUATION or point in _LOOSE_SIGNS):
                    touching = _ALONE
            if entry & _TERMINAL or not entry & _CLOSER:
                last, last_entry = point, entry
        line_offsets[row + 1] = line
        counts = out[row]
        counts[_WORDS], counts[_LETTERED], counts[_WORTH], counts[_SYMBOLS] = words, lettered, worth, symbols
        counts[_HASHES], counts[_ELLIPSES], counts[_STOPS] = marks, ellipses, stops
        if runs and words > 1:
            repeated_runs(hashes, sums, words, rolled, places, groups, times, cells, counts[_GRAMS:])
