"""Attention over packed sequences: each attends to itself alone, whatever stands beside it.

On CUDA in half precision the kernel is FlashAttention's variable-length one (Dao 2023, arXiv:2307.08691), which torch
brings, under a public name of late, or the package `flash_attn`; on the CPU sequences are attended to one after the
other. Registered with transformers under NAME; the model's own code does everything else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

from tamis.scoring.device import torch_module

NAME = "tamis_packed"

# The widest head FlashAttention takes; it also wants multiples of 8.
_WIDEST = 256


# f(q, k, v, bounds, longest, scale, window): q, k, v of shape (tokens, heads, width), `window` how far a token sees to
# its left and right, -1 without end.
Kernel = Callable[[Any, Any, Any, Any, int, float, tuple[int, int]], Any]


@lru_cache(maxsize=1)
def kernel() -> Kernel | None:
    """Return what attends within sequences on CUDA: the first of torch's public name, torch's own operation under it,
    and the package `flash_attn` that is there and takes a window and a scale; None without one."""
    return _varlen() or _operation() or _flash_attn()


def _varlen() -> Kernel | None:
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    known = inspect.signature(varlen_attn).parameters
    if not {"window_size", "scale"} <= known.keys():
        return None  # an early release, which can only look everywhere or back

    def attend(q: Any, k: Any, v: Any, bounds: Any, longest: int, scale: float, window: tuple[int, int]) -> Any:
        grouped = {"enable_gqa": True} if "enable_gqa" in known and q.shape[1] != k.shape[1] else {}
        k, v = (k, v) if grouped else _alike(q, k, v)
        return varlen_attn(q, k, v, bounds, bounds, longest, longest, scale=scale, window_size=window, **grouped)

    return attend


def _operation() -> Kernel | None:
    try:
        operation = torch_module().ops.aten._flash_attention_forward.default
    except AttributeError:
        return None
    known = {argument.name for argument in operation._schema.arguments}
    if not {"scale", "window_size_left", "window_size_right"} <= known:
        return None

    def attend(q: Any, k: Any, v: Any, bounds: Any, longest: int, scale: float, window: tuple[int, int]) -> Any:
        k, v = _alike(q, k, v)
        left, right = (None if side < 0 else side for side in window)
        given = {"scale": scale, "window_size_left": left, "window_size_right": right}
        return operation(q, k, v, bounds, bounds, longest, longest, 0.0, window == (-1, 0), False, **given)[0]

    return attend


def _flash_attn() -> Kernel | None:
    try:
        from flash_attn import flash_attn_varlen_func
    except ImportError:
        return None

    def attend(q: Any, k: Any, v: Any, bounds: Any, longest: int, scale: float, window: tuple[int, int]) -> Any:
        causal = window == (-1, 0)
        size = (-1, -1) if causal else window
        return flash_attn_varlen_func(
            q, k, v, bounds, bounds, longest, longest, softmax_scale=scale, causal=causal, window_size=size
        )

    return attend


def _alike(q: Any, k: Any, v: Any) -> tuple[Any, Any]:
    """Return keys and values with as many heads as the queries have."""
    times = q.shape[1] // k.shape[1]
    return (k, v) if times == 1 else (k.repeat_interleave(times, 1), v.repeat_interleave(times, 1))


def supported(device: str, dtype: Any, head: int) -> bool:
    """Return whether packed sequences can be attended to on a device with heads of that width."""
    torch = torch_module()
    if not device.startswith("cuda"):
        return True
    half = dtype in (torch.bfloat16, torch.float16)
    return half and head % 8 == 0 and head <= _WIDEST and kernel() is not None


def register() -> str:
    """Make packed attention known to transformers; returns its name there."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    return NAME


def attend(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    is_causal: bool | None = None,
    cu_seq_lens_q: Any = None,
    max_length_q: int = 0,
    **_: Any,
) -> tuple[Any, None]:
    """Return attention as transformers wants it, (1, tokens, heads, width), from (1, heads, tokens, width) each.

    `cu_seq_lens_q`, int32 of shape (sequences + 1,), says where sequences begin and end; `max_length_q` is the longest.
    `sliding_window` w lets a token see w - 1 tokens to each allowed side. No dropout: nothing is trained here.
    """
    causal = bool(getattr(module, "is_causal", False)) if is_causal is None else is_causal
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    reach = sliding_window - 1 if sliding_window else -1
    window = (reach, 0 if causal else reach)
    q, k, v = (each[0].transpose(0, 1) for each in (query, key, value))
    if query.is_cuda:
        flash = kernel()
        assert flash is not None
        return flash(q, k, v, cu_seq_lens_q, max_length_q, scale, window).unsqueeze(0), None
    return _one_by_one(q, k, v, cu_seq_lens_q.tolist(), scale, window).unsqueeze(0), None


def _one_by_one(q: Any, k: Any, v: Any, bounds: list[int], scale: float, window: tuple[int, int]) -> Any:
    torch = torch_module()
    out = torch.empty_like(q)
    for start, end in pairwise(bounds):
        if end > start:
            mine = (each[start:end].transpose(0, 1).unsqueeze(0) for each in (q, k, v))
            seen = _mask(end - start, window)
            found = torch.nn.functional.scaled_dot_product_attention(
                *mine, attn_mask=seen, scale=scale, enable_gqa=q.shape[1] != k.shape[1]
            )
            out[start:end] = found[0].transpose(0, 1)
    return out


def _mask(length: int, window: tuple[int, int]) -> Any:
    """Return which token sees which, boolean (length, length); None where all see all."""
    torch = torch_module()
    left, right = (length if side < 0 else side for side in window)
    if left >= length and right >= length:
        return None
    place = torch.arange(length)
    apart = place[None, :] - place[:, None]
    return (apart >= -left) & (apart <= right)
