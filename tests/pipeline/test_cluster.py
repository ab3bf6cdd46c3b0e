"""A Ray cluster of several nodes on this machine: the same bytes, whatever happens to its nodes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tamis
from tamis.pipeline import inspect

ray = pytest.importorskip("ray")

STORE = 80 << 20
RECIPE = 'name = "cluster"\n[read]\nunit_bytes = 60_000\n[dedup]\nbands = 2\nrows_per_band = 2\n'


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head that computes nothing, and two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": STORE})
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=STORE, wait=False)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_a_node_killed_in_the_middle_changes_nothing(
    cluster: Any, miniweb: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = tmp_path / "cluster.toml"
    recipe.write_text(RECIPE)
    tamis.run(miniweb, tmp_path / "inline", recipe=recipe, executor="inline")
    killed = threading.Event()
    victim = sorted(cluster.worker_nodes, key=lambda node: node.unique_id)[0]

    def kill(step: str, done: int, total: int, _: Any) -> None:
        if step == "sift" and done >= 2 and not killed.is_set():
            killed.set()
            cluster.remove_node(victim, allow_graceful=False)
            cluster.add_node(num_cpus=1, object_store_memory=STORE, wait=False)

    with caplog.at_level(logging.INFO, "tamis"):
        tamis.run(miniweb, tmp_path / "ray", recipe=recipe, executor="ray", address=cluster.address, progress=kill)
    assert killed.is_set()
    assert tree(tmp_path / "ray") == tree(tmp_path / "inline")
    assert inspect.fsck(str(tmp_path / "ray")).clean
    from ray._private.internal_api import memory_summary

    summary = memory_summary(address=cluster.address, stats_only=True)
    assert "Spilled" not in summary, summary
