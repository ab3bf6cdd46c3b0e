"""Nets: what the engine runs, a body and a head, and the number types they compute in."""

from __future__ import annotations

from typing import Any, Protocol

from tamis.scoring.body import Batch
from tamis.scoring.device import torch_module
from tamis.scoring.texts import Vocabulary

# Windows are no longer than this unless a recipe asks for it: what most scorers were trained on.
WINDOW = 512


class Reader(Protocol):
    """What reads windows: `packs` says whether they come packed, `window` the most tokens it takes, 0 for any."""

    packs: bool
    window: int
    vocabulary: Vocabulary


class Net(Reader, Protocol):
    """A model on its device. `per_byte`: whether its numbers are per token and must be told per byte."""

    per_byte: bool

    def __call__(self, given: Batch) -> Any:
        """Return one number per window, fp32 of shape (windows,), on the device. Raises torch.OutOfMemoryError."""
        ...


def number_type(dtype: str, device: str) -> Any:
    """Return torch's type for a body: "auto" is bf16 on CUDA and fp32 on the CPU."""
    torch = torch_module()
    chosen = ("bf16" if device.startswith("cuda") else "fp32") if dtype == "auto" else dtype
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[chosen]


def padding(config: Any) -> int:
    """Return the id that fills padding; it is never attended to, so any will do."""
    return int(getattr(config, "pad_token_id", None) or 0)
