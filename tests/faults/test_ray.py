"""Ray on one processor: more steps than processors, an empty store, nothing spilled, poison found to the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tamis
from tamis.pipeline.executor import load
from tamis.pipeline.plan import STEPS

ray = pytest.importorskip("ray")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_more_steps_than_processors_end_on_one_of_them(miniweb: Path, plain_recipe: Path, tmp_path: Path) -> None:
    assert len(STEPS) > 4
    given = {"read.unit_bytes": 60_000}
    tamis.run(miniweb, tmp_path / "inline", recipe=plain_recipe, executor="inline", overrides=given)
    executor = load("ray", workers=1)
    most, spilled = 0.0, []

    def look(*_: Any) -> None:
        nonlocal most
        total, free = (
            what().get("object_store_memory", 0.0) for what in (ray.cluster_resources, ray.available_resources)
        )
        most = max(most, total - free)

    try:
        tamis.run(miniweb, tmp_path / "ray", recipe=plain_recipe, executor=executor, overrides=given, progress=look)
        session = Path(ray._private.worker.global_worker.node.get_session_dir_path())
        spilled = [path for path in session.glob("ray_spilled_objects*/**/*") if path.is_file()]
    finally:
        executor.close()
    assert tree(tmp_path / "ray") == tree(tmp_path / "inline")
    assert most < 100e6
    assert spilled == []
