"""Processes with cards: their own on one machine, actors with shares under Ray; the driver and CPU workers have none.

The cards are made up (Ray is told of one, the local executor counts one), and torch on the CPU does their work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import tamis
from tamis.pipeline import placement, signing
from tamis.pipeline.local import LocalExecutor
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.shard import Shard
from tamis.scoring.options import ScoringOptions

pytest.importorskip("torch", reason="cards are reached by torch")

SHARDS = [Shard("probe", str(number), "") for number in range(6)]


@pytest.fixture(autouse=True)
def _known_to_workers() -> Iterator[None]:
    """Workers cannot import this module, so what is defined in it travels whole."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A Ray executor on a machine that is said to have one GPU."""
    ray = pytest.importorskip("ray", reason="the ray executor needs Ray")
    from tamis.pipeline.ray import RayExecutor

    os.environ.setdefault("RAY_AUTH_TOKEN", "cards")
    ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    yield RayExecutor()
    ray.shutdown()


def probe(shard: Shard) -> tuple[Receipt, ...]:
    """Say which process this is, which cards it may see, and whether it has loaded torch."""
    facts = {"pid": os.getpid(), "sees": os.environ.get("CUDA_VISIBLE_DEVICES"), "torch": "torch" in sys.modules}
    return (Receipt(shard.step, shard.name, "", facts=facts),)


class SignHere(signing.Sign):
    """The sign step where the card that a process claims is the CPU."""

    def __call__(self, shard: Shard) -> tuple[Receipt, ...]:
        from tamis.scoring import device

        device.claim = lambda _=1.0: "cpu"  # type: ignore[assignment]
        (receipt,) = signing.Sign(self.options, self.storage, self.device)(shard)
        assert "torch" in sys.modules
        return (receipt,)


def told(executor: Any) -> list[dict[str, Any]]:
    return [dict(receipt.facts) for receipts in executor.run(probe, SHARDS) for receipt in receipts]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def signed(manifest: Path, folder: Path, executor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with and without cards; both must leave the same bytes."""
    (folder / "cards.toml").write_text('name = "cards"\n[dedup]\n')
    tamis.run(manifest, folder / "plain", recipe=folder / "cards.toml", executor="inline")
    monkeypatch.setattr(signing, "Sign", SignHere)
    given = {"dedup.device": "cuda"}
    tamis.run(manifest, folder / "cards", recipe=folder / "cards.toml", executor=executor, overrides=given)
    assert tree(folder / "cards") == tree(folder / "plain")


def test_on_one_machine_cards_have_processes_of_their_own(
    miniweb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tamis.scoring.device", "tamis.pipeline.placement"):
        monkeypatch.setattr(f"{module}.cuda_devices", lambda: 1)
    workers = LocalExecutor(2)
    try:
        signed(miniweb, tmp_path, workers, monkeypatch)
        assert {each["torch"] for each in told(workers)} == {False}
        with placement.placed(workers, ScoringOptions("m", gpus=0.5), "cuda") as lent:
            assert isinstance(lent, LocalExecutor) and lent is not workers and lent.workers == 2
    finally:
        workers.close()


@pytest.mark.slow
def test_under_ray_actors_share_a_card_and_tasks_have_none(
    cluster: Any, miniweb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster.gpus() == 1
    with placement.lent(cluster, 0.5) as actors:
        found = told(actors)
    assert len({each["pid"] for each in found}) == 2 and {each["sees"] for each in found} == {"0"}
    signed(miniweb, tmp_path, cluster, monkeypatch)
    assert {each["torch"] for each in told(cluster)} == {False}
