"""Every input that fuzzing kept, once, without the fuzzer."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"


def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tamis_fuzz", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("target", ["reader", "decoder", "extractor", "texts", "kernels"])
def test_kept_inputs_are_harmless(target: str) -> None:
    module = fuzz()
    inputs = [*module.seeds(target), *module.kept(target)]
    for data in inputs:
        module.TARGETS[target](data)
    assert len(inputs) > 3
