"""KenLM's own reader, for its binary files: the one place `kenlm` is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from tamis.errors import MissingExtraError, ModelError


class LanguageModel(Protocol):
    """What scores a sentence: an NgramModel, or KenLM's model."""

    def score(self, sentence: str) -> float:
        """Return log10 of the probability of words between spaces, from <s> to </s>."""

    def __contains__(self, word: str) -> bool:
        """Say whether the model knows a word."""


def installed() -> bool:
    """Say whether `kenlm` can be imported."""
    try:
        import kenlm  # noqa: F401
    except ImportError:
        return False
    return True


def open_binary(path: Path) -> Any:
    """Return `kenlm.Model` of an ARPA or binary file.

    Raises MissingExtraError without kenlm, ModelError where it cannot read the file.
    """
    try:
        import kenlm
    except ImportError as error:
        raise MissingExtraError(
            f"{path} is a KenLM binary, which only kenlm reads.", "pip install 'tamis[lm]', or give its ARPA file."
        ) from error
    try:
        return kenlm.Model(str(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"KenLM cannot read {path}: {error}.", "Check its checksum, or fetch it again.") from error
