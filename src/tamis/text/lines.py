"""Lines: one record of eight numbers for each line that is not blank, and the counts that lines add up to.

A line is what stands between line breaks of any kind (CRLF is one), trimmed of white space; a blank line is none, but
ends a paragraph. Records of one text are one binary value, so they travel through Arrow like any other column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import text_buffers
from tamis.text.grams import capacity, repeated_entries
from tamis.text.hashing import GOLDEN, absorb, mix
from tamis.text.kernel import kernel, proven_kernel

# The fields of a record: bytes from the start of the text, exclusive end, words, worth of all words and of the
# longest, sentences, flags, and the hash of the line's words and signs (spaces, case and composition aside).
FIELDS = 8
START, END, WORDS, WORTH, LONGEST_WORD, SENTENCES, FLAGS, HASH = range(FIELDS)
RECORD_BYTES = 8 * FIELDS

ENDED, ELLIPSIS, BULLET, PARAGRAPH = 1, 2, 4, 8
# The line has an opening square bracket before what a citation begins with, such as [1] or [edit].
CITED = 16

LINE_COUNTS = (
    "words",
    "worth",
    "sentences",
    "lines",
    "ended_lines",  # ending as a sentence does in their script
    "ellipsis_lines",  # ending with an ellipsis
    "bullet_lines",  # beginning with a bullet
    "short_lines",  # of at most so many letters, a gap between words counting as one
    "repeated_lines",  # that stood in the text before
    "repeated_line_worth",
    "paragraphs",
    "repeated_paragraphs",
    "repeated_paragraph_worth",
)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of several texts: text i has records[offsets[i]:offsets[i + 1]], shape (lines, FIELDS), int64."""

    offsets: npt.NDArray[np.int64]
    records: npt.NDArray[np.int64]

    @classmethod
    def of(cls, values: pa.Array) -> Lines:
        """Return the lines that a column made by `to_arrow` holds; a null has none."""
        offsets, data = text_buffers(values)
        first = int(offsets[0])
        records = data[first : int(offsets[-1])].view(np.int64).reshape(-1, FIELDS)
        return cls((offsets - first) // RECORD_BYTES, records)

    def to_arrow(self) -> pa.Array:
        """Return the records as `large_binary`, one value for each text."""
        buffers = [None, pa.py_buffer(self.offsets * RECORD_BYTES), pa.py_buffer(np.ascontiguousarray(self.records))]
        return pa.Array.from_buffers(pa.large_binary(), len(self.offsets) - 1, buffers)

    def counts(self, short_letters: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the LINE_COUNTS of each text, shape (rows, len(LINE_COUNTS)); `short_letters` has shape (rows,)."""
        out = np.zeros((len(self.offsets) - 1, len(LINE_COUNTS)), np.int64)
        most = int(np.diff(self.offsets).max(initial=0))
        _tally(self.offsets, self.records, np.nan_to_num(short_letters, nan=-1.0) * 16, most, out)
        return out


@kernel
def _tally(offsets: Any, records: Any, short: Any, most: Any, out: Any) -> Any:
    keys, hashes, worths = np.empty(capacity(most), np.uint64), np.empty(most, np.uint64), np.empty(most, np.int64)
    for row in range(len(offsets) - 1):
        first, last, counts = offsets[row], offsets[row + 1], out[row]
        for line in range(first, last):
            record = records[line]
            flags = record[FLAGS]
            counts[0] += record[WORDS]
            counts[1] += record[WORTH]
            counts[2] += record[SENTENCES]
            counts[4] += flags & ENDED != 0
            counts[5] += flags & ELLIPSIS != 0
            counts[6] += flags & BULLET != 0
            counts[7] += record[WORTH] + 16 * max(record[WORDS] - 1, 0) <= short[row]
            hashes[line - first] = np.uint64(record[HASH])
            worths[line - first] = record[WORTH]
        counts[3] = last - first
        counts[8], counts[9] = repeated_entries(hashes, worths, last - first, keys)
        paragraphs = _paragraphs(records[first:last], hashes, worths)
        counts[10] = paragraphs
        counts[11], counts[12] = repeated_entries(hashes, worths, paragraphs, keys)


@kernel
def _paragraphs(records: Any, hashes: Any, worths: Any) -> Any:
    """Write the hash and worth of each paragraph, which is its lines in order; return how many there are."""
    count, state, worth = 0, GOLDEN, 0
    for line in range(len(records)):
        if line > 0 and records[line, FLAGS] & PARAGRAPH:
            hashes[count], worths[count] = mix(state), worth
            count, state, worth = count + 1, GOLDEN, 0
        state = absorb(state, np.uint64(records[line, HASH]))
        worth += records[line, WORTH]
    if len(records) > 0:
        hashes[count], worths[count] = mix(state), worth
        count += 1
    return count


def join_lines(
    texts: pa.LargeStringArray, lines: Lines, keep: npt.NDArray[np.bool_]
) -> tuple[pa.LargeStringArray, Lines]:
    """Return the texts made of the kept lines alone, one a line, and the records of those lines.

    `keep` has one entry for each record. The new texts have no blank lines, so each is one paragraph.
    """
    offsets, data = text_buffers(texts)
    kept = np.zeros(len(offsets), np.int64)
    kept[1:] = np.add.reduceat(np.append(keep, False), lines.offsets[:-1], dtype=np.int64) if len(texts) else 0
    kept[1:][np.diff(lines.offsets) == 0] = 0
    records = lines.records[keep].copy()
    made = Lines(np.cumsum(kept), records)
    sizes = records[:, END] - records[:, START] + 1
    total = int(sizes.sum())
    new_offsets, new_data = np.zeros(len(offsets), np.int64), np.empty(total, np.uint8)
    used = _join(offsets, data, made.offsets, records, new_offsets, new_data)
    array = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(new_offsets), pa.py_buffer(new_data[:used]))
    return array, made


@proven_kernel
def _join(offsets: Any, data: Any, line_offsets: Any, records: Any, new_offsets: Any, new_data: Any) -> Any:
    """Copy the lines and write where they now are; return the bytes written.

    Unchecked: records begin and end where the walk read within its text, and `new_data` has room for each and a break.
    """
    at = 0
    for row in range(len(offsets) - 1):
        begun = at
        for line in range(line_offsets[row], line_offsets[row + 1]):
            if at > begun:
                new_data[at] = 0x0A
                at += 1
            start, end = offsets[row] + records[line, START], offsets[row] + records[line, END]
            new_data[at : at + end - start] = data[start:end]
            records[line, START], records[line, END] = at - begun, at - begun + end - start
            records[line, FLAGS] &= ~PARAGRAPH
            at += end - start
        new_offsets[row + 1] = at
    return at
