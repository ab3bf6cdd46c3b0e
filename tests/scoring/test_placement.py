"""Placement: cards are claimed once each, shares of them as often as they go, and clusters are asked for theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tamis.errors import ConfigError
from tamis.pipeline import placement
from tamis.pipeline.executor import InlineExecutor
from tamis.scoring import ScoringOptions, device
from tamis.scoring.found import Found


class Cluster(InlineExecutor):
    """An executor that has GPUs elsewhere."""

    def __init__(self, gpus: float) -> None:
        self._gpus = gpus
        self.asked: list[float] = []

    def gpus(self) -> float:
        return self._gpus

    def staying(self, gpus: float) -> InlineExecutor:
        self.asked.append(gpus)
        return InlineExecutor()


@pytest.fixture
def neural(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model is neural, and its libraries are there."""
    found = Found(Path("m"), "classifier", "x")
    monkeypatch.setattr(placement, "inspect", lambda _: found)
    monkeypatch.setattr(placement.importlib.util, "find_spec", lambda _: object())


@pytest.mark.parametrize(
    ("wanted", "gpus", "found"), [("auto", 0, "cpu"), ("auto", 2, "cuda"), ("cuda", 2, "cuda"), ("cpu", 2, "cpu")]
)
def test_a_cluster_scores_where_its_cards_are(neural: None, wanted: str, gpus: int, found: str) -> None:
    cluster = Cluster(gpus)
    options = ScoringOptions("m", device=wanted, gpus=0.5)
    assert placement.settle(options, cluster) == found
    with placement.placed(cluster, options, found) as executor:
        assert executor is not cluster
    assert cluster.asked == [0.5 if found == "cuda" else 0.0]


def test_a_cluster_with_too_few_cards_is_an_error(neural: None) -> None:
    with pytest.raises(ConfigError, match="Ray cluster has 1"):
        placement.settle(ScoringOptions("m", device="cuda", gpus=2), Cluster(1))


@pytest.mark.parametrize(("gpus", "devices", "workers"), [(1, 4, 4), (0.5, 2, 4), (0.3, 1, 3), (2, 4, 2), (2, 1, 1)])
def test_as_many_workers_as_the_cards_have_room_for(gpus: float, devices: int, workers: int) -> None:
    assert device.places(gpus, devices) == workers


def test_this_machine_scores_on_the_cpu_where_it_has_no_card(
    neural: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(device, "cuda_devices", lambda: 0)
    inline = InlineExecutor()
    options = ScoringOptions("m")
    assert placement.settle(options, inline) == "cpu"
    assert caplog.messages == ['Scoring runs on the CPU: device = "auto" found no CUDA device.']
    # Never silently, and never a word too many: who asks for the CPU gets it.
    assert placement.settle(ScoringOptions("m", device="cpu"), inline) == "cpu" and len(caplog.messages) == 1
    # Not in the driver itself: a process of its own loads torch.
    with placement.placed(inline, options, "cpu") as executor:
        assert executor is not inline


def test_cards_are_claimed_one_by_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    used: list[str] = []

    class Torch:
        class cuda:  # noqa: N801
            device_count = staticmethod(lambda: 2)
            set_device = staticmethod(lambda name: used.append(name))

    monkeypatch.setattr(device, "torch_module", Torch)
    monkeypatch.setattr(device.tempfile, "gettempdir", lambda: str(tmp_path))
    held: dict[int, Any] = {}
    monkeypatch.setattr(device, "_CLAIMED", held)
    assert device.claim() == "cuda:0" and device.claim() == "cuda:0"
    # What other processes would find: the first is taken, then both, then halves of them.
    others = []
    for gpus, expected in ((1, "cuda:1"), (0.5, "cuda:0"), (0.5, "cuda:1")):
        others.append(held.copy())
        held.clear()
        assert device.claim(gpus) == expected
    # Each process makes the one it has its own: events and fused kernels would go to the first otherwise.
    assert used == ["cuda:0", "cuda:0", "cuda:1", "cuda:0", "cuda:1"]
