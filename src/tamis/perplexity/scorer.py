"""The scorer: documents to scores, by one bundle's normaliser, pieces and n-grams, which only fit each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text, text_buffers
from tamis.perplexity.kenlm import LanguageModel
from tamis.perplexity.ngrams import NgramModel
from tamis.perplexity.normalise import Normaliser, code_table
from tamis.perplexity.spm import Library
from tamis.perplexity.unigram import Unigram
from tamis.perplexity.walk import contextual, score_documents

Doubles = npt.NDArray[np.float64]

# 10 to a greater power is no float.
_MAX_EXPONENT = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of documents, shape (n,), float64, NaN where a document is null or has too few tokens.

    `perplexity` is 10^(−Σ log10 p / Σ (pieces + 1)) over all lines; `bits_per_byte` is −Σ log2 p over the lines that
    are not blank, by the document's UTF-8 bytes. `tokens` counts pieces.
    """

    perplexity: Doubles
    bits_per_byte: Doubles
    tokens: npt.NDArray[np.int64]


class Scorer:
    """Scores documents with a normaliser, a SentencePiece model and an n-gram model.

    Compiled throughout where the pieces are a plain unigram model and the n-grams ours; otherwise line by line through
    SentencePiece or KenLM, with the same results. A document's score does not depend on the others.
    """

    def __init__(self, normaliser: Normaliser, pieces: Unigram, model: LanguageModel, pieces_path: Path) -> None:
        self.normaliser = normaliser
        self.pieces = pieces
        self.model = model
        self._table = code_table(normaliser)
        self._numbers = model.numbers(pieces.pieces) if isinstance(model, NgramModel) else None
        compiled = self._numbers is not None and pieces.encodable
        self._library = None if compiled else Library(pieces_path)

    def score(self, texts: Sequence[str | None] | pa.Array | pa.ChunkedArray, *, min_tokens: int = 1) -> Scores:
        """Return the scores of documents; those under `min_tokens` pieces, and nulls, abstain."""
        array = as_text(texts)
        totals, counts = np.zeros((len(array), 2)), np.zeros((len(array), 2), np.int64)
        if self._library is None:
            self._compiled(array, totals, counts)
        else:
            self._line_by_line(array, totals, counts)
        sizes = np.diff(text_buffers(array)[0]) if len(array) else np.zeros(0, np.int64)
        shown = (counts[:, 1] >= max(min_tokens, 1)) & array.is_valid().to_numpy(zero_copy_only=False)
        exponent = np.minimum(-totals[:, 0] / np.maximum(counts[:, 0], 1), _MAX_EXPONENT)
        bits = -totals[:, 1] * math.log2(10) / np.maximum(sizes, 1)
        return Scores(np.where(shown, 10.0**exponent, np.nan), np.where(shown, bits, np.nan), counts[:, 1])

    def _compiled(self, array: pa.LargeStringArray, totals: Doubles, counts: npt.NDArray[np.int64]) -> None:
        assert isinstance(self.model, NgramModel)
        offsets, data = text_buffers(array)
        table, pieces, model = self._table, self.pieces, self.model
        ready = contextual(offsets, data, table.kind)
        if ready.any():
            offsets, data = text_buffers(self._written_out(array, ready))
        join = self.normaliser.join_lines
        selectors = self.normaliser.strip_accents
        score_documents(
            offsets, data, ready, join,
            (table.starts, table.out, table.kind, selectors),
            (pieces.base, pieces.check, pieces.value, pieces.scores, pieces.unknown, pieces.unknown_score,
             pieces.charsmap, pieces.charsmap_out, self._numbers),
            (model.order, model.unigrams, model.keys, model.values),
            totals, counts,
        )  # fmt: skip

    def _written_out(self, array: pa.LargeStringArray, which: npt.NDArray[np.bool_]) -> pa.LargeStringArray:
        """Return the texts with those of `which` normalised by the rules written out."""
        texts = array.to_pylist()
        for row in np.flatnonzero(which).tolist():
            texts[row] = "\n".join(self.normaliser.lines(texts[row]))
        return as_text(texts)

    def _line_by_line(self, array: pa.LargeStringArray, totals: Doubles, counts: npt.NDArray[np.int64]) -> None:
        assert self._library is not None
        for row, text in enumerate(array.to_pylist()):
            for line in self.normaliser.lines(text or ""):
                pieces = self._library.pieces(line)
                log = self.model.score(" ".join(pieces))
                totals[row] += (log, log if pieces else 0.0)
                counts[row] += (len(pieces) + 1, len(pieces))
