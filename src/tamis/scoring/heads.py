"""Heads: what turns hidden states into one number per window. Always fp32, whatever the body's type."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from tamis.scoring.body import Batch
from tamis.scoring.device import torch_module

log = logging.getLogger("tamis")

# Rows of logits made at a time: 151,000 words of vocabulary in fp32 make 2.5 GB of them.
CHUNK = 4096


def first(states: Any, given: Batch) -> Any:
    """Return the first token's state of each window, (windows, width)."""
    return states.index_select(0, given.bounds[:-1].long())


def last(states: Any, given: Batch) -> Any:
    """Return the last token's state of each window, (windows, width)."""
    return states.index_select(0, given.bounds[1:].long() - 1)


def mean(states: Any, given: Batch) -> Any:
    """Return the mean state of each window, (windows, width) fp32; summed in order, so always to the same bits."""
    return _reduced(states.float(), "mean", given)


def _reduced(values: Any, how: str, given: Batch) -> Any:
    # Unsafe is what does not read the lengths back to check them, and the card is not waited for.
    return torch_module().segment_reduce(values, how, lengths=given.sizes, axis=0, unsafe=True)


def classifier(model: Any, family: dict[str, Any]) -> Callable[[Any, Batch], Any]:
    """Return what makes logits, (windows, labels) fp32, of the hidden states of a sequence classifier."""
    makers = {"pooler": _pooler, "dense": _dense, "prediction": _prediction, "last": _last}
    return makers[family["head"]](model)


def _pooler(model: Any) -> Callable[[Any, Batch], Any]:
    pooler, head = model.base_model.pooler.float(), model.classifier.float()
    # The body would run it too, on states of its own type and for nothing.
    model.base_model.pooler = None
    return lambda states, given: head(pooler(first(states, given).float()[:, None]))


def _dense(model: Any) -> Callable[[Any, Batch], Any]:
    head = model.classifier.float()
    return lambda states, given: head(first(states, given).float()[:, None])


def _prediction(model: Any) -> Callable[[Any, Batch], Any]:
    pool = mean if model.config.classifier_pooling == "mean" else first
    dense, head = model.head.float(), model.classifier.float()
    return lambda states, given: head(dense(pool(states, given).float()))


def _last(model: Any) -> Callable[[Any, Batch], Any]:
    head = model.score.float()
    return lambda states, given: head(last(states, given).float())


def bits_per_token(states: Any, given: Batch, head: Any) -> Any:
    """Return the mean bits of each window's fresh tokens, (windows,) fp32; NaN where none has one before it.

    `head` maps states to logits of the vocabulary; they are made CHUNK rows at a time.
    """
    torch = torch_module()
    # Token i is told by the state of token i - 1: the first of a window by none.
    from_end = torch.repeat_interleave(given.sizes, given.sizes, output_size=given.ids.shape[0]) - given.places
    wanted = torch.repeat_interleave(given.fresh, given.sizes, output_size=given.ids.shape[0])
    scored = ((from_end <= wanted) & (given.places > 0)).float()
    nats = torch.cat([_surprise(states, given.ids, start, head) for start in range(0, states.shape[0], CHUNK)])
    return _reduced(nats * scored, "sum", given) / _reduced(scored, "sum", given) / 0.6931471805599453


@lru_cache(maxsize=1)
def fused() -> Callable[[Any, Any], Any] | None:
    """Return the fused kernel, None where there is no Triton, or where it does not give what torch gives here."""
    try:
        from tamis.scoring.surprise_triton import run
    except ImportError:
        return None
    return run if agrees(run, "cuda") else None


def agrees(kernel: Callable[[Any, Any], Any], device: str) -> bool:
    """Return whether a kernel gives the values of torch's operations on a device; says so in the log where not."""
    torch = torch_module()
    logits = torch.linspace(-9, 9, 3 * 4100, device=device).sin().mul(20).view(3, 4100).bfloat16()
    targets = torch.tensor([0, 4099, 77], device=device)
    try:
        apart = float((kernel(logits, targets) - plain(logits, targets)).abs().max())
    except Exception as error:  # Triton raises what its compiler and its compiler's C compiler raise
        log.warning("The fused output kernel does not run here (%s): torch's own operations do its work.", error)
        return False
    if not apart < 1e-3:
        log.warning("The fused output kernel is %g off here: torch's own operations do its work.", apart)
    return apart < 1e-3


def plain(logits: Any, targets: Any) -> Any:
    """Return -ln p of `targets` (rows,) under `logits` (rows, words), fp32, by torch's own operations."""
    logits = logits.float()
    return torch_module().logsumexp(logits, -1) - logits.gather(1, targets[:, None])[:, 0]


def _surprise(states: Any, ids: Any, start: int, head: Any) -> Any:
    """Return -ln p of tokens start … start + CHUNK given what is before them, 0 for the very first."""
    torch = torch_module()
    chunk = slice(max(start, 1), start + CHUNK)
    before = states[chunk.start - 1 : min(chunk.stop, states.shape[0]) - 1]
    logits, targets = head(before), ids[chunk]
    nats = ((fused() if logits.is_cuda else None) or plain)(logits, targets)
    return torch.cat([nats.new_zeros(1), nats]) if start == 0 else nats
