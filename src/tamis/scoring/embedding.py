"""Embeddings with a trained head: an encoder's mean state, and a linear or two-layer head that scores it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tamis.errors import ModelError
from tamis.scoring import heads
from tamis.scoring.body import Batch, Body, pretrained
from tamis.scoring.device import torch_module
from tamis.scoring.found import read_card
from tamis.scoring.net import number_type, padding
from tamis.scoring.options import ScoringOptions
from tamis.scoring.texts import Vocabulary

ENCODER = "encoder"
HEAD = "head.safetensors"
# Weights an encoder may lack: sentence encoders are often saved without the pooler that nobody uses here.
SPARE = ("pooler.", "bert.pooler.", "roberta.pooler.")


class Encoder:
    """A text encoder: the mean of its last states, scaled to length 1."""

    def __init__(self, folder: Path, options: ScoringOptions, device: str) -> None:
        dtype = number_type(options.dtype, device)
        model = pretrained(folder, "AutoModel", dtype=dtype, device=device, pickles=options.pickles, spare=SPARE)
        self.body = Body(model, device, dtype, compiled=options.compile)
        self.vocabulary = Vocabulary(folder, padding(model.config))
        self.device = device
        self.width = int(model.config.hidden_size)
        self.packs = self.body.packs
        self.window = self.body.window

    def embed(self, given: Batch) -> Any:
        """Return one vector per window, (windows, width) fp32 of length 1."""
        return torch_module().nn.functional.normalize(heads.mean(self.body.hidden(given), given), dim=-1)


class Embedding:
    """An encoder with its head. `weights` are those of `head.safetensors`: `0.weight` and `0.bias` of the first layer,
    `1.weight` and `1.bias` of the second where there is one."""

    per_byte = False

    def __init__(self, encoder: Encoder, weights: dict[str, Any], *, probability: bool) -> None:
        self._encoder = encoder
        self._weights = {name: value.float().to(encoder.device) for name, value in weights.items()}
        self._probability = probability
        self.vocabulary = encoder.vocabulary
        self.packs = encoder.packs
        self.window = encoder.window

    def __call__(self, given: Batch) -> Any:
        """Return the score of each window, (windows,) fp32."""
        raw = apply(self._weights, self._encoder.embed(given))
        return raw.sigmoid() if self._probability else raw


def apply(weights: dict[str, Any], vectors: Any) -> Any:
    """Return what a head makes of vectors (n, width): (n,). Two layers have a GELU between them."""
    functional = torch_module().nn.functional
    found = functional.linear(vectors, weights["0.weight"], weights["0.bias"])
    if "1.weight" in weights:
        found = functional.linear(functional.gelu(found), weights["1.weight"], weights["1.bias"])
    return found[:, 0]


def load(folder: Path, options: ScoringOptions, device: str) -> Embedding:
    """Return the encoder and head of a folder that `tamis train scorer` made. Raises ModelError."""
    from safetensors import SafetensorError  # type: ignore[import-not-found,unused-ignore]
    from safetensors.torch import load_file  # type: ignore[import-not-found,unused-ignore]

    card = read_card(folder)
    try:
        weights = load_file(str(folder / HEAD))
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder / HEAD} cannot be read: {error}.", "Train the head anew.") from error
    encoder = Encoder(folder / ENCODER, options, device)
    return Embedding(encoder, weights, probability=card["task"] == "binary")
