"""The example's training loop: its loss falls."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_loss_falls(made):
    pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("train_tiny", ROOT / "examples/train_tiny/train.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    losses = example.train(str(made({"eng_Latn": [40]}) / "eng_Latn"), 65_536, steps=25, batch=2, length=48)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
