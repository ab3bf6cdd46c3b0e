"""SentencePiece itself: training, and encoding with models the kernels here do not know. Its one import."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tamis.errors import InputError, MissingExtraError, ModelError

# As CCNet trained (arXiv 1911.00359, section 3.2).
COVERAGE = 0.9995
# The longest sentence the trainer takes, in bytes; longer ones are no sentences.
MAX_BYTES = 8192
# Fixed, because sums over threads depend on how many there are.
_THREADS = 2


def _library() -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise MissingExtraError("SentencePiece is not installed.", "pip install 'tamis[lm]'") from error
    return sentencepiece


def train(lines: Iterable[str], pieces: int) -> bytes:
    """Return the `.model` file of a unigram model of at most `pieces` pieces.

    Raises MissingExtraError without SentencePiece, InputError where the lines do not make a model.
    """
    library = _library()
    file = io.BytesIO()
    try:
        library.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=file,
            vocab_size=pieces,
            model_type="unigram",
            character_coverage=COVERAGE,
            hard_vocab_limit=False,
            max_sentence_length=MAX_BYTES,
            shuffle_input_sentence=False,
            num_threads=_THREADS,
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"No pieces can be learned from this text: {error}.", "Give more text, or fewer pieces."
        ) from error
    return file.getvalue()


class Library:
    """The library's own encoder of a `.model` file."""

    def __init__(self, path: Path) -> None:
        try:
            self._processor = _library().SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as error:
            raise ModelError(f"SentencePiece cannot read {path}: {error}.", "Fetch it again.") from error

    def pieces(self, line: str) -> list[str]:
        """Return a line's pieces as texts."""
        return list(self._processor.encode(line, out_type=str))
