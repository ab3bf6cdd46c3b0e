"""Causal language models: how many bits they need for a byte of a document. Low is what the model expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tamis.errors import ModelError
from tamis.scoring import heads
from tamis.scoring.body import Batch, Body, pretrained
from tamis.scoring.net import number_type, padding
from tamis.scoring.options import ScoringOptions
from tamis.scoring.texts import Vocabulary


class Causal:
    """A causal model. Each token is scored once, in the first window that has it, with what stands before it there."""

    per_byte = True

    def __init__(self, body: Body, vocabulary: Vocabulary) -> None:
        self.body = body
        self.vocabulary = vocabulary
        self.packs = body.packs
        self.window = body.window
        self._head = body.model.get_output_embeddings()

    def __call__(self, given: Batch) -> Any:
        """Return the mean bits of each window's fresh tokens, (windows,) fp32."""
        return heads.bits_per_token(self.body.hidden(given), given, self._head)


def load(folder: Path, options: ScoringOptions, device: str) -> Causal:
    """Return the model of a folder; texts begin with the mark its tokenizer or its settings begin them with.

    Raises ModelError or MissingExtraError.
    """
    dtype = number_type(options.dtype, device)
    model = pretrained(folder, "AutoModelForCausalLM", dtype=dtype, device=device, pickles=options.pickles)
    if model.get_output_embeddings() is None:
        raise ModelError(f"{folder} has no output layer.", "Give a causal language model.")
    vocabulary = Vocabulary(folder, padding(model.config))
    vocabulary.after = ()
    if not vocabulary.before:
        vocabulary.before = _start(model.config)
    return Causal(Body(model, device, dtype, compiled=options.compile), vocabulary)


def _start(config: Any) -> tuple[int, ...]:
    """Return the mark a text begins with; models without one have seen the end of another text there."""
    for name in ("bos_token_id", "eos_token_id"):
        given = getattr(config, name, None)
        found = given[0] if isinstance(given, list) and given else given
        if isinstance(found, int) and 0 <= found < config.vocab_size:
            return (found,)
    return ()
