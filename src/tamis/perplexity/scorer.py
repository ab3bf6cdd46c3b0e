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
from tamis.perplexity.ngrams import BEGIN, END, UNKNOWN, NgramModel
from tamis.perplexity.normalise import Normaliser, code_table
from tamis.perplexity.reference import Doubles, Longs, Scores
from tamis.perplexity.spm import Library
from tamis.perplexity.unigram import Unigram
from tamis.perplexity.walk import contextual, score_documents

# What naming one of Unicode's 150,000 characters takes. A model's <unk> says that there is one, not which: to it, a
# page in another script would be a run of the same, cheap word.
CHARACTER_BITS = 17.0
# 10 to a greater power is no float.
_MAX_EXPONENT = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What scores are made of; those of a document are the sums of its lines', and a line feed between each two.

    `logs`, shape (n, 2): Σ log10 p over all lines, and over those that are not blank. `counts`, shape (n, 4): lines,
    those not blank, pieces, and characters that no piece covers. `sizes` are UTF-8 bytes.
    """

    logs: Doubles
    counts: Longs
    sizes: Longs

    @property
    def tokens(self) -> Longs:
        """Pieces of each document."""
        return self.counts[:, 2]

    def scores(self, min_tokens: int = 1) -> Scores:
        """Return the scores; documents under `min_tokens` pieces abstain."""
        lines, filled, pieces, uncovered = self.counts.T
        exponent = np.minimum(-self.logs[:, 0] / np.maximum(pieces + lines, 1), _MAX_EXPONENT)
        bits = CHARACTER_BITS * uncovered - math.log2(10) * self.logs[:, 1]
        found = (10.0**exponent, bits / np.maximum(self.sizes, 1), bits / np.maximum(pieces + filled, 1))
        shown = pieces >= max(min_tokens, 1)
        perplexity, by_byte, by_piece = (np.where(shown, each, np.nan) for each in found)
        return Scores(perplexity, by_byte, by_piece, pieces)


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
        self._known = frozenset(pieces.pieces)
        # CCNet's n-grams have words that are no pieces: rare characters, which SentencePiece hands through as they are.
        own = isinstance(model, NgramModel) and not {*model.words} - self._known - {UNKNOWN, BEGIN, END}
        compiled = own and pieces.encodable
        self._library = None if compiled else Library(pieces_path)

    def score(self, texts: Sequence[str | None] | pa.Array | pa.ChunkedArray, *, min_tokens: int = 1) -> Scores:
        """Return the scores of documents; those under `min_tokens` pieces, and nulls, abstain."""
        return self.measure(texts).scores(min_tokens)

    def measure(self, texts: Sequence[str | None] | pa.Array | pa.ChunkedArray) -> Measures:
        """Return what the scores of documents are made of; nulls are as empty texts."""
        array = as_text(texts)
        logs, counts = np.zeros((len(array), 2)), np.zeros((len(array), 4), np.int64)
        if self._library is None:
            self._compiled(array, logs, counts)
        else:
            self._line_by_line(array, logs, counts)
        return Measures(logs, counts, np.diff(text_buffers(array)[0]).astype(np.int64))

    def _compiled(self, array: pa.LargeStringArray, logs: Doubles, counts: Longs) -> None:
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
            (model.order, model.unigrams, model.cells, model.pairs),
            logs, counts,
        )  # fmt: skip

    def _written_out(self, array: pa.LargeStringArray, which: npt.NDArray[np.bool_]) -> pa.LargeStringArray:
        """Return the texts with those of `which` normalised by the rules written out."""
        texts = array.to_pylist()
        for row in np.flatnonzero(which).tolist():
            texts[row] = "\n".join(self.normaliser.lines(texts[row]))
        return as_text(texts)

    def _line_by_line(self, array: pa.LargeStringArray, logs: Doubles, counts: Longs) -> None:
        assert self._library is not None
        for row, text in enumerate(array.to_pylist()):
            for line in self.normaliser.lines(text or ""):
                pieces = self._library.pieces(line)
                log = self.model.score(" ".join(pieces))
                missed = sum(len(piece) for piece in pieces if piece not in self._known and piece not in self.model)
                logs[row] += (log, log if pieces else 0.0)
                counts[row] += (1, bool(pieces), len(pieces), missed)
