"""Attention on cards, whose kernels no CPU runs: each is asked for what is wanted, whichever torch brings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="attention is torch's")

from tamis.scoring import attention  # noqa: E402

BOUNDS = torch.tensor([0, 3, 5], dtype=torch.int32)


def heads(count: int) -> Any:
    return torch.zeros(5, count, 8)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the public kernel was asked; it takes what that of torch 2.13 takes."""
    calls: list[dict[str, Any]] = []

    def varlen_attn(
        q: Any, k: Any, v: Any, cu_seq_q: Any, cu_seq_k: Any, max_q: int, max_k: int,
        *, scale: Any = None, window_size: Any = (-1, -1), enable_gqa: bool = False,
    ) -> Any:  # fmt: skip
        calls.append({"heads": k.shape[1], "scale": scale, "window": window_size, "grouped": enable_gqa, "max": max_q})
        return q

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    return calls


def test_the_public_name_is_asked_for_windows_and_grouped_heads(asked: list[dict[str, Any]]) -> None:
    kernel = attention._varlen()
    assert kernel is not None
    kernel(heads(4), heads(4), heads(4), BOUNDS, 3, 0.5, (-1, -1))
    kernel(heads(4), heads(2), heads(2), BOUNDS, 3, 0.5, (-1, 0))
    assert asked == [
        {"heads": 4, "scale": 0.5, "window": (-1, -1), "grouped": False, "max": 3},
        {"heads": 2, "scale": 0.5, "window": (-1, 0), "grouped": True, "max": 3},
    ]


def test_this_torch_takes_what_it_is_asked() -> None:
    # The names that are passed are those of the installed release, on any device.
    assert attention._varlen() is not None and attention._operation() is not None


@pytest.mark.parametrize("make", [attention.kernel, attention._varlen, attention._operation])
@pytest.mark.parametrize("window", [(-1, -1), (-1, 0), (7, 7), (7, 0)])
@pytest.mark.parametrize("groups", [1, 2])
def test_kernels_are_called_as_they_want_to_be(make: Any, window: tuple[int, int], groups: int) -> None:
    """Shapes and options alone: tensors without values, through the functions that a card would run."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    kernel = make()
    assert kernel is not None
    with FakeTensorMode():
        query = torch.empty(30, 4, 8, dtype=torch.bfloat16)
        key = torch.empty(30, 4 // groups, 8, dtype=torch.bfloat16)
        bounds = torch.zeros(3, dtype=torch.int32)
        assert kernel(query, key, key, bounds, 20, 0.3, window).shape == (30, 4, 8)


def test_an_early_release_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def varlen_attn(q: Any, k: Any, v: Any, a: Any, b: Any, c: int, d: int, is_causal: bool = False) -> Any:
        raise AssertionError("it cannot look aside")

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    assert attention._varlen() is None


def test_the_operation_under_it_does_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    class Operation:
        _schema = torch.ops.aten._flash_attention_forward.default._schema

        def __call__(self, q: Any, k: Any, v: Any, *given: Any, **named: Any) -> Any:
            known = [argument.name for argument in self._schema.arguments]
            assert named.keys() <= set(known)
            calls.append((k.shape[1], dict(zip(known[3:], given, strict=False)) | named))
            return (q,)

    aten = SimpleNamespace(_flash_attention_forward=SimpleNamespace(default=Operation()))
    monkeypatch.setattr(attention, "torch_module", lambda: SimpleNamespace(ops=SimpleNamespace(aten=aten)))
    kernel = attention._operation()
    assert kernel is not None
    q = heads(4)
    assert kernel(q, heads(2), heads(2), BOUNDS, 3, 0.5, (-1, 0)) is q
    kernel(q, q, q, BOUNDS, 3, 0.5, (8, 8))
    (first, causal), (_, local) = calls
    assert first == 4 and causal["is_causal"] and causal["window_size_left"] is None and not causal["return_debug_mask"]
    assert (local["is_causal"], local["window_size_left"], local["window_size_right"]) == (False, 8, 8)
    assert (local["max_q"], local["dropout_p"], local["scale"]) == (3, 0.0, 0.5) and local["cum_seq_q"] is BOUNDS
