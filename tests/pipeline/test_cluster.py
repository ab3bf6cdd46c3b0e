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
    # A store of 80 MB had room for everything: nothing was spilled to disk.
    session = Path(cluster.head_node.get_session_dir_path())
    assert [path for path in session.glob("ray_spilled_objects*/**/*") if path.is_file()] == []


def test_memory_of_a_node_bounds_what_ray_places_there(cluster: Any, tmp_path: Path) -> None:
    """A task asks for its share; what asks for more than a node has would wait for ever, so the share is of a node."""
    from tamis.pipeline.executor import load
    from tamis.pipeline.manifest import Receipt
    from tamis.pipeline.shard import Shard

    executor = load("ray", 2, cluster.address, 200 << 20)
    try:
        shards = [Shard("s", str(number), "f") for number in range(5)]
        done = executor.run(lambda shard: (Receipt(shard.step, shard.name, shard.fingerprint),), shards)
        assert sorted(receipt.shard for (receipt,) in done) == list("01234")
    finally:
        executor.close()
