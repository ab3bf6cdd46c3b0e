"""The variant "datatrove" of C4's rules: what datatrove 0.10's `C4QualityFilter` (Apache-2.0) does, text by text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import bounds
from tamis.bounds import Bound
from tamis.columns import as_text
from tamis.filters.line_rules import ASKED, PHRASES, REASONS
from tamis.text.measure import measure
from tamis.text.stopwords import stop_tables

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
# What datatrove takes for the end of a sentence: its variant must, however few languages that serves.
_ENDS = (".", "?", "!", '"', "'")

BLOCK = pa.struct(
    [
        pa.field("asked", pa.large_binary()),
        pa.field("text", pa.large_string()),
        pa.field("removed", pa.large_binary()),
    ]
)


@dataclass(frozen=True, slots=True)
class C4Block:
    """The block's options; `sentences` splits a line, by default into as many sentences as we count."""

    min_line_words: Bound
    max_word_letters: Bound
    ended_lines: bool
    javascript: bool
    policy: bool
    citations: bool
    lorem_ipsum: bool
    curly_bracket: bool
    sentences: Callable[[str], list[str]] | None

    def __call__(self, text: pa.Array, language: pa.Array) -> pa.Array:
        """Return for each text ASKED, the lines that stay, and what each of REASONS took out."""
        least = bounds.resolve(self.min_line_words, language, len(text))
        most = bounds.resolve(self.max_word_letters, language, len(text))
        judged = [self.judge(value or "", least[row], most[row]) for row, value in enumerate(text.to_pylist())]
        asked = np.array([each[0] for each in judged], np.int64).reshape(len(text), len(ASKED))
        removed = np.array([each[2] for each in judged], np.int64).reshape(len(text), 2 * len(REASONS))
        columns = [_binary(asked), as_text([each[1] for each in judged]), _binary(removed)]
        return pa.StructArray.from_arrays(columns, fields=list(BLOCK))

    def judge(self, text: str, least: float, most: float) -> tuple[list[int], str, npt.NDArray[np.int64]]:
        """Return (ASKED, what stays, (reason, bytes and characters) taken out) of one text."""
        sentences, kept, removed = 0, [], np.zeros((len(REASONS), 2), np.int64)
        for line in map(str.strip, text.splitlines()):
            words = line.split()  # lint: variant
            if any(len(word) > most for word in words):
                reason = 1
            else:
                line = CITATION.sub("", line) if self.citations else line
                reason = self._reason(line, len(words), least)
            if reason < 0:
                return [int(reason == -1), int(reason == -2), sentences], text, removed
            if reason:
                removed[reason] += (len(line.encode("utf-8", "surrogatepass")), len(line))
                continue
            sentences += len(self.sentences(line)) if self.sentences else _count_sentences(line)
            kept.append(line)
        return [0, 0, sentences], "\n".join(kept).strip(), removed

    def _reason(self, line: str, words: int, least: float) -> int:
        """Return the place in REASONS of why a line goes, -1 for lorem ipsum, -2 for a curly bracket."""
        if self.ended_lines and (not line.endswith(_ENDS) or line.endswith("...")):
            return 2
        if words < least:
            return 3
        lower = line.lower()
        if self.lorem_ipsum and PHRASES[0] in lower:
            return -1
        if self.javascript and PHRASES[2] in lower:
            return 4
        if self.curly_bracket and PHRASES[1] in line:
            return -2
        return 5 if self.policy and any(phrase in lower for phrase in PHRASES[3:]) else 0


def _count_sentences(line: str) -> int:
    return int(measure([line], stop_tables({}), runs=False).lines.records[:, 5].sum())


def _binary(matrix: npt.NDArray[np.int64]) -> pa.Array:
    offsets = np.arange(len(matrix) + 1, dtype=np.int64) * matrix.shape[1] * 8
    return pa.Array.from_buffers(pa.large_binary(), len(matrix), [None, pa.py_buffer(offsets), pa.py_buffer(matrix)])
