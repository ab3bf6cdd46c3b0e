"""Bodies: the transformer of a model folder, run over windows packed one after the other, or padded where it must be.

Whatever the layout, hidden states come back flat: one row per token, windows one after the other. So heads are written
once, and padding never reaches them.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.errors import MissingExtraError, ModelError
from tamis.scoring import attention
from tamis.scoring.device import torch_module, upload

log = logging.getLogger("tamis")

# Two windows that a body must answer alike, packed and padded, before it is trusted with packing.
_PROBE = (5, 11)
# bf16 has 8 bits: what is further apart than this, of the greatest value, is another answer and no rounding.
_ALIKE = 0.08

# x / √(mean x² + ε) · weight, over the last axis; others of that name add 1 to their weight, or norm otherwise.
_RMS_NORMS = ("LlamaRMSNorm", "MistralRMSNorm", "Qwen2RMSNorm", "Qwen3RMSNorm", "Olmo2RMSNorm")

_WEIGHTS = ("*.safetensors",)
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Windows on a device, flat.

    ids, places: (tokens,), a token's id and its place in its window; bounds: int32 (windows + 1,);
    sizes, fresh: int64 (windows,), tokens in a window, and how many of the last text tokens are new;
    cells: (tokens,), where each token stands in a grid of shape `grid`, for bodies that need padding; None if packed.
    """

    ids: Any
    places: Any
    bounds: Any
    sizes: Any
    fresh: Any
    longest: int
    cells: Any = None
    grid: tuple[int, int] = (0, 0)


def batch(ids: list[npt.NDArray[np.int32]], fresh: npt.NDArray[np.int64], device: str, *, packed: bool) -> Batch:
    """Return windows of ids as a batch on a device."""
    sizes = np.array([len(each) for each in ids], np.int64)
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    rows = np.repeat(np.arange(len(ids)), sizes)
    places = np.arange(bounds[-1]) - bounds[:-1][rows]
    longest = int(sizes.max())
    cells = None if packed else upload(rows * longest + places, device)
    flat = np.concatenate(ids).astype(np.int64)
    moved = [upload(each, device) for each in (flat, places.astype(np.int64), bounds, sizes, fresh)]
    return Batch(moved[0], moved[1], moved[2], moved[3], moved[4], longest, cells, (len(ids), longest))


@cache
def families() -> dict[str, dict[str, Any]]:
    """Return how model types are read packed, from `families.toml`."""
    return tomllib.loads(files("tamis.scoring").joinpath("families.toml").read_text("utf-8"))


class Body:
    """The transformer below the heads.

    model: the whole model as transformers loaded it, its body already in `dtype`; `family` is None for types that
    cannot be packed. `packs` says how batches must be made.
    """

    def __init__(self, model: Any, device: str, dtype: Any, *, compiled: bool = False) -> None:
        self.model = model
        self.device = device
        self.family = families().get(model.config.model_type)
        self._body = model.base_model
        _fuse_norms(self._body)
        self._pad = int(getattr(model.config, "pad_token_id", None) or 0)
        offset = self.family is not None and self.family.get("offset", False)
        self._first = self._pad + 1 if offset else 0
        self.packs = self.family is not None and attention.supported(device, dtype, _width(model.config))
        if self.packs:
            self._trust()
        if compiled:
            self._body = _compiled(self._body)

    @property
    def window(self) -> int:
        """The longest window the body has positions for; 0 where it says nothing."""
        return max(0, int(getattr(self.model.config, "max_position_embeddings", 0) or 0) - self._first)

    def hidden(self, given: Batch) -> Any:
        """Return the last hidden states, (tokens, width)."""
        if given.cells is not None:
            return self._padded(given)
        states = self._body(
            input_ids=given.ids[None],
            position_ids=given.places[None] + self._first,
            cu_seq_lens_q=given.bounds,
            cu_seq_lens_k=given.bounds,
            max_length_q=given.longest,
            max_length_k=given.longest,
            **self._plainly(),
        )
        return states.last_hidden_state[0]

    def _padded(self, given: Batch) -> Any:
        ids, mask = self.grid(given)
        places = {} if self.family is None else {"position_ids": self._places(given)}
        states = self._body(input_ids=ids, attention_mask=mask, **places, **self._plainly()).last_hidden_state
        return states.reshape(-1, states.shape[-1]).index_select(0, given.cells)

    def grid(self, given: Batch) -> tuple[Any, Any]:
        """Return (input_ids, attention_mask) of a padded batch."""
        torch = torch_module()
        ids = torch.full((given.grid[0] * given.grid[1],), self._pad, dtype=torch.int64, device=self.device)
        mask = torch.zeros_like(ids)
        ids[given.cells] = given.ids
        mask[given.cells] = 1
        return ids.view(given.grid), mask.view(given.grid)

    def _places(self, given: Batch) -> Any:
        # Some bodies count places by which ids are padding, and a text may well hold that id.
        return torch_module().arange(given.grid[1], device=self.device).expand(given.grid) + self._first

    def _plainly(self) -> dict[str, bool]:
        return {"use_cache": False} if self.family and self.family["head"] == "last" else {}

    def _trust(self) -> None:
        """Pack from here on, if packed windows get the answers that padded ones get; otherwise pad, and say so.

        What passes sequence bounds down to attention is the library's affair, and a version that did not would let
        documents see each other without any error.
        """
        config = self.model.config
        words = np.random.default_rng(1).integers(0, config.vocab_size, sum(_PROBE)).astype(np.int32)
        try:
            apart, why = self._apart(np.split(words, [_PROBE[0]])), ""
        except (RuntimeError, TypeError, ValueError) as error:  # no kernel for this card in this version of torch
            apart, why = float("inf"), f" {error}"
        if not apart < _ALIKE:
            told = "%s answers otherwise when packed (%.3f): its batches are padded.%s"
            log.warning(told, config.model_type, apart, why)
            self.model.set_attn_implementation("sdpa")
            self.packs = False

    def _apart(self, ids: list[npt.NDArray[np.int32]]) -> float:
        """Return how far packed answers are from padded ones, as a share of the greatest value."""
        fresh = np.array([len(each) for each in ids], np.int64)
        with torch_module().inference_mode():
            wanted = self._padded(batch(ids, fresh, self.device, packed=False)).float()
            self.model.set_attn_implementation(attention.register())
            found = self.hidden(batch(ids, fresh, self.device, packed=True)).float()
        return float((wanted - found).abs().max() / wanted.abs().max().clamp_min(1e-6))


def _fuse_norms(body: Any) -> None:
    """Let RMS norms be one operation of torch's, with sums in fp32 as theirs: spelt out, six kernels read and write
    fp32 states, a seventh of a small model's time."""
    functional = torch_module().nn.functional
    for module in body.modules():
        if type(module).__name__ in _RMS_NORMS:
            width, weight, least = tuple(module.weight.shape), module.weight, module.variance_epsilon
            module.forward = partial(functional.rms_norm, normalized_shape=width, weight=weight, eps=least)


def _compiled(body: Any) -> Callable[..., Any]:
    """Return a body compiled for batches of any size; as it was, with a warning, where the compiler fails."""
    torch = torch_module()
    quick, failed = torch.compile(body, dynamic=True), False

    def run(**given: Any) -> Any:
        nonlocal failed
        if not failed:
            try:
                return quick(**given)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # whatever torch's compiler, Triton's or the C compiler under it raise
                log.warning("The model cannot be compiled here, and runs as it is: %s", error)
                failed = True
        return body(**given)

    return run


def _width(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def pretrained(folder: Path, kind: str, *, dtype: Any, device: str, pickles: bool, spare: tuple[str, ...] = ()) -> Any:
    """Return the model of a local folder for inference; `kind` is the name of an Auto class of transformers.

    Weights are read from safetensors; pickles can run any program and are refused unless `pickles` is set. Weights
    that are missing would be random: that is an error, unless their names begin with one of `spare`.
    Raises ModelError, MissingExtraError.
    """
    _check_weights(folder, pickles)
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("This model needs transformers, not installed.", "pip install 'tamis[gpu]'") from error
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        model, told = getattr(transformers, kind).from_pretrained(
            str(folder), dtype=dtype, local_files_only=True, trust_remote_code=False, output_loading_info=True,
            use_safetensors=None if pickles else True, attn_implementation="sdpa",
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{folder} cannot be loaded: {error}", "Give the folder of a model saved whole.") from error
    finally:
        transformers.logging.set_verbosity(before)
    missing = sorted(name for name in told["missing_keys"] if not name.startswith(spare or ("\0",)))
    if missing:
        raise ModelError(
            f"{folder} has no weights for {', '.join(missing[:5])}.", f"It is no {kind}; give the fine-tuned model."
        )
    return model.eval().requires_grad_(False).to(device)


def _check_weights(folder: Path, pickles: bool) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is no model folder: it has no config.json.", "Give a local Hugging Face folder.")
    if any(any(folder.glob(each)) for each in _WEIGHTS):
        return
    found = sorted(path.name for each in _PICKLES for path in folder.glob(each))
    if not found:
        raise ModelError(f"{folder} has no weights.", "Give a folder with model.safetensors.")
    if not pickles:
        raise ModelError(
            f"{folder} has its weights in a pickle ({found[0]}), which can run any program when it is read.",
            "Convert it to safetensors, or set pickles = true if you trust who made it.",
        )
