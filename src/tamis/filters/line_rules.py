"""Which lines C4 takes out of a text, and what the lines that stay say of the document."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.text.kernel import kernel, proven_kernel
from tamis.text.lines import ELLIPSIS, END, ENDED, FLAGS, LONGEST_WORD, SENTENCES, START, WORDS
from tamis.text.phrases import Phrases, find

# The reasons a line is taken out for, in the order in which they are tried; 0 keeps it.
REASONS = ("", "line_word_too_long", "line_not_ended", "line_too_few_words", "line_javascript", "line_policy")
_LONG, _NOT_ENDED, _FEW, _JAVASCRIPT, _POLICY = range(1, 6)

# What is asked of a document: whether a line that stays has these, and how many sentences stay.
ASKED = ("lorem_ipsum", "curly_bracket", "sentence_count")

_LOREM_BIT, _CURLY_BIT, _SCRIPT_BIT = 1, 2, 4
_POLICY_PHRASES = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
PHRASES = ("lorem ipsum", "{", "javascript", *_POLICY_PHRASES)

Asked = npt.NDArray[np.int64]


def judge_lines(
    offsets: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    line_offsets: npt.NDArray[np.int64],
    records: npt.NDArray[np.int64],
    min_words: npt.NDArray[np.float64],
    max_letters: npt.NDArray[np.float64],
    options: tuple[bool, bool, bool],
) -> tuple[npt.NDArray[np.uint8], Asked]:
    """Return (reason of each line, ASKED of each text); bounds have one entry for each text, NaN binds nothing.

    `options` say whether lines must end a sentence, and whether JavaScript and policies are reasons.
    """
    reasons = np.zeros(len(records), np.uint8)
    asked = np.zeros((len(offsets) - 1, len(ASKED)), np.int64)
    phrases = Phrases.of(PHRASES).arrays()
    _judge(offsets, data, line_offsets, records, min_words, max_letters, options, phrases, reasons, asked)
    return reasons, asked


@kernel
def _judge(
    offsets: Any,
    data: Any,
    line_offsets: Any,
    records: Any,
    min_words: Any,
    max_letters: Any,
    options: Any,
    phrases: Any,
    reasons: Any,
    asked: Any,
) -> None:
    must_end, script_counts, policy_counts = options
    texts, sizes, anchors, first, following = phrases
    for row in range(len(offsets) - 1):
        for line in range(line_offsets[row], line_offsets[row + 1]):
            record = records[line]
            if record[LONGEST_WORD] > max_letters[row] * 16:
                reasons[line] = _LONG
                continue
            if must_end and record[FLAGS] & (ENDED | ELLIPSIS) != ENDED:
                reasons[line] = _NOT_ENDED
                continue
            if record[WORDS] < min_words[row]:
                reasons[line] = _FEW
                continue
            start, end = offsets[row] + record[START], offsets[row] + record[END]
            found = find(data, start, end, texts, sizes, anchors, first, following)
            asked[row, 0] |= found & _LOREM_BIT
            if script_counts and found & _SCRIPT_BIT:
                reasons[line] = _JAVASCRIPT
                continue
            asked[row, 1] |= (found & _CURLY_BIT) >> 1
            if policy_counts and found >= 8:
                reasons[line] = _POLICY
                continue
            asked[row, 2] += record[SENTENCES]


@proven_kernel
def book(offsets: Any, data: Any, line_offsets: Any, records: Any, reasons: Any, books: Any) -> None:
    """Add to books[reason, 0, row] the bytes, and to [reason, 1, row] the characters, of each line taken out.

    Unchecked, so that characters are counted many at a time: records begin and end where the walk read in its text.
    """
    for row in range(len(offsets) - 1):
        for line in range(line_offsets[row], line_offsets[row + 1]):
            reason = reasons[line]
            if reason:
                start, end = offsets[row] + records[line, START], offsets[row] + records[line, END]
                books[reason, 0, row] += end - start
                characters = 0
                for at in range(start, end):
                    characters += data[at] & 0xC0 != 0x80
                books[reason, 1, row] += characters
