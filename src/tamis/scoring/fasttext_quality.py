"""fastText quality classifiers, in the way of DCLM (Li et al. 2024, arXiv:2406.11794, section 4.4), on the CPU.

A bag of words and word pairs is as long as its document: one window, whole coverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import text_buffers
from tamis.errors import ConfigError, unknown
from tamis.scoring import fasttext_walk as walk
from tamis.scoring.fasttext_file import END, FastText, read
from tamis.scoring.scored import Scored

MODEL = "model.bin"
# The label a trained folder scores by.
GOOD = "good"


class FastTextScorer:
    """The probability of one label, for each text. `path` is a fastText `.bin`, or a folder that holds one."""

    higher_is_better = True

    def __init__(self, path: Path, *, label: str = "") -> None:
        self.model = read(path / MODEL if path.is_dir() else path)
        self._label = _place(self.model.labels, label)
        self._table, self._spelling, self._options = tables(self.model)

    def stream(self, batches: Iterable[pa.LargeStringArray]) -> Iterator[Scored]:
        """Yield the scores of each batch of texts, in order."""
        for texts in batches:
            chances = self.probabilities(texts)[:, self._label].astype(np.float64)
            known = ~np.isnan(chances)
            yield Scored(chances, known.astype(np.int32), known.astype(np.float32))

    def probabilities(self, texts: pa.LargeStringArray) -> npt.NDArray[np.float32]:
        """Return the probability of every label, float32 (texts, labels); NaN where no feature is known."""
        offsets, data = text_buffers(texts)
        out = np.empty((len(texts), len(self.model.labels)), np.float32)
        longest = int(np.diff(offsets).max(initial=0))
        features, words = walk.room(longest, self._options)
        walk.probabilities(
            offsets, data, self._options, self._table, self._spelling, self.model.rows, self.model.output,
            features, words, out,
        )  # fmt: skip
        return out


def _place(labels: tuple[str, ...], label: str) -> int:
    if label:
        if label not in labels:
            raise unknown("label of the classifier", label, labels)
        return labels.index(label)
    if GOOD in labels:
        return labels.index(GOOD)
    raise ConfigError(f"The classifier's labels are {', '.join(labels[:20])}.", "Choose the good one: label = ….")


def tables(model: FastText) -> tuple[walk.Ints, walk.Bytes, walk.Ints]:
    """Return the dictionary by hash, its spelling, and the options, as the kernels read them."""
    spelled = [word.encode() for word in model.words]
    ends = np.cumsum([len(word) for word in spelled], dtype=np.int64)
    spelling = np.frombuffer(b"".join(spelled) or b"\0", np.uint8)
    starts = np.concatenate([[0], ends])[: len(spelled)]
    hashes = [int(walk.hash_bytes(spelling, s, e)) for s, e in zip(starts.tolist(), ends.tolist(), strict=True)]
    table = np.stack([np.array(hashes, np.int64), np.arange(len(spelled)), starts, ends], 1).reshape(-1, 4)
    table = table[np.lexsort((table[:, 1], table[:, 0]))].astype(np.int64)
    mark = np.frombuffer(END.encode(), np.uint8)
    end_hash = int(np.uint32(walk.hash_bytes(mark, 0, len(mark))).astype(np.int32))
    end_row = model.words.index(END) if END in model.words else -1
    numbers = (model.minn, model.maxn, model.buckets, model.word_ngrams, len(model.words), end_row, end_hash)
    return np.ascontiguousarray(table), spelling, np.array(numbers, np.int64)
