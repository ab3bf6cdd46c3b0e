"""Training of heads: a linear or two-layer head on an encoder's mean states, to convergence and always to the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.errors import ConfigError
from tamis.scoring import packing, windows
from tamis.scoring.body import batch
from tamis.scoring.device import one_thread, torch_module
from tamis.scoring.embedding import HEAD, Encoder, apply
from tamis.scoring.engine import sequences, window
from tamis.scoring.examples import Examples
from tamis.scoring.options import ScoringOptions

_STEPS = 200


@dataclass(frozen=True, slots=True)
class Fit:
    """hidden: units of the middle layer, 0 for a linear head; penalty: on the squares of the weights; seed: of the
    first weights of a head with a middle layer."""

    hidden: int = 0
    penalty: float = 1e-4
    seed: int = 1


def embed(encoder: Encoder, texts: pa.LargeStringArray, options: ScoringOptions) -> npt.NDArray[np.float32]:
    """Return one vector per text, float32 (texts, width): the mean over its windows, each token counted once."""
    torch = torch_module()
    ids = encoder.vocabulary.encode(texts)
    marks = len(encoder.vocabulary.before) + len(encoder.vocabulary.after)
    made = windows.cut(ids.counts, window(encoder, options) - marks, options.stride, options.max_windows)
    vectors = np.zeros((len(made), encoder.width), np.float32)
    for plan in packing.plan(made.length + marks, options.batch_tokens, packed=encoder.packs):
        given = sequences(ids, made, encoder.vocabulary, plan.rows)
        with torch.inference_mode():
            found = encoder.embed(batch(given, made.fresh[plan.rows], encoder.device, packed=encoder.packs))
        vectors[plan.rows] = found.cpu().numpy()
    sums = np.zeros((len(texts), encoder.width))
    np.add.at(sums, made.document, vectors * made.fresh[:, None])
    total = np.bincount(made.document, made.fresh.astype(np.float64), len(texts))
    return np.asarray(sums / np.maximum(total, 1)[:, None], np.float32)


def train(examples: Examples, vectors: npt.NDArray[np.float32], folder: Path, fit: Fit) -> npt.NDArray[np.float64]:
    """Train a head on what is not held out, write `head.safetensors`, and return the score of every example.

    Logistic regression for labels of 0 and 1, least squares for grades. Raises ConfigError for too few units.
    """
    from safetensors.torch import save_file  # type: ignore[import-not-found,unused-ignore]

    if fit.hidden < 0:
        raise ConfigError(f"{fit.hidden} hidden units cannot be.", "Give 0 for a linear head, or some hundreds.")
    torch = torch_module()
    given = torch.from_numpy(vectors).double()
    labels = torch.from_numpy(examples.labels).double()
    learned = torch.from_numpy(~examples.held_out)
    weights = _start(given.shape[1], fit, float(labels[learned].mean()), binary=examples.binary)
    _fit(weights, given[learned], labels[learned], fit, binary=examples.binary)
    save_file({name: value.detach().float().contiguous() for name, value in weights.items()}, str(folder / HEAD))
    with torch.no_grad():
        raw = apply(weights, given)
        return np.asarray((raw.sigmoid() if examples.binary else raw).numpy(), np.float64)


def _start(width: int, fit: Fit, mean: float, *, binary: bool) -> dict[str, Any]:
    torch = torch_module()
    bias = float(np.log(max(mean, 1e-6) / max(1 - mean, 1e-6))) if binary else mean
    random = np.random.default_rng(fit.seed)

    def layer(outputs: int, inputs: int, spread: float) -> Any:
        return torch.from_numpy(random.standard_normal((outputs, inputs)) * spread)

    if fit.hidden == 0:
        made = {"0.weight": torch.zeros(1, width).double(), "0.bias": torch.tensor([bias]).double()}
    else:
        made = {
            "0.weight": layer(fit.hidden, width, width**-0.5),
            "0.bias": torch.zeros(fit.hidden).double(),
            "1.weight": layer(1, fit.hidden, fit.hidden**-0.5),
            "1.bias": torch.tensor([bias]).double(),
        }
    return {name: value.requires_grad_(True) for name, value in made.items()}


def _fit(weights: dict[str, Any], vectors: Any, labels: Any, fit: Fit, *, binary: bool) -> None:
    """Minimise the whole loss by L-BFGS in fp64 on one thread: no batches, no order, no chance."""
    torch = torch_module()
    functional = torch.nn.functional
    solver = torch.optim.LBFGS(
        list(weights.values()), max_iter=_STEPS, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def loss() -> Any:
        solver.zero_grad()
        raw = apply(weights, vectors)
        error = functional.binary_cross_entropy_with_logits if binary else functional.mse_loss
        squares = sum((value**2).sum() for name, value in weights.items() if name.endswith("weight"))
        total = error(raw, labels) + fit.penalty * squares
        total.backward()
        return total

    with one_thread():
        solver.step(loss)
