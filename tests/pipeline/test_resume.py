"""Running the same command again resumes; a changed threshold redoes what depends on it and nothing else."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tamis
from tamis.errors import OutputError
from tamis.pipeline.executor import InlineExecutor
from tamis.pipeline.manifest import NAME, Receipt
from tamis.recipe import load

RECIPE = """
name = "resume"
[[filters]]
keep = "chars"
at_least = 200
[dedup]
[tokenize]
shard_tokens = 20_000
"""


DEDUPED = {"sift", "pair", "cluster", "regroup", "resolve", "verdict"}


class Counted(InlineExecutor):
    """An inline executor that remembers which units it was given."""

    def __init__(self) -> None:
        self.units: list[str] = []

    def run(self, work: Any, shards: Any) -> Any:
        shards = list(shards)
        self.units += [str(shard) for shard in shards]
        return super().run(work, shards)

    @property
    def steps(self) -> set[str]:
        return {unit.partition("/")[0] for unit in self.units}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "resume.toml"
    path.write_text(RECIPE)
    return path


def go(manifest: Path, output: Path, recipe: Path, **overrides: Any) -> Counted:
    counted = Counted()
    tamis.run(manifest, output, recipe=recipe, executor=counted, overrides=overrides)
    return counted


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_finished_run_has_nothing_to_do(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    go(miniweb, tmp_path / "out", recipe)
    before = tree(tmp_path / "out")
    assert go(miniweb, tmp_path / "out", recipe).units == []
    assert tree(tmp_path / "out") == before
    assert all(step.missing == 0 for step in tamis.plan(miniweb, tmp_path / "out", recipe=recipe))


def test_nothing_to_do_holds_without_work(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    tamis.run(miniweb, tmp_path / "out", recipe=recipe, executor="inline", clean=True)
    assert not (tmp_path / "out" / "work").exists()
    assert go(miniweb, tmp_path / "out", recipe).units == []
    redone = go(miniweb, tmp_path / "out", recipe, **{"dedup.threshold": 0.9})
    assert "sift" in redone.steps  # the texts are gone, so they are made again


@pytest.mark.parametrize(
    ("change", "redone"),
    [
        ({"filters": [{"keep": "chars", "at_least": 300}]}, DEDUPED),
        ({"langid.at_least": 0.9}, DEDUPED),
        ({"dedup.threshold": 0.99}, {"resolve", "verdict"}),
        ({"dedup.scope": "global"}, DEDUPED - {"sift"}),
        ({"dedup.seed": 7}, DEDUPED - {"sift"} | {"sign"}),
        ({"dedup.alarm_share": 0.9}, {"verdict"}),
        ({"tokenize.shard_tokens": 30_000}, set()),
    ],
)
def test_a_changed_setting_redoes_what_depends_on_it(
    change: dict[str, Any], redone: set[str], miniweb: Path, recipe: Path, tmp_path: Path
) -> None:
    go(miniweb, tmp_path / "out", recipe)
    missing = {step.step for step in tamis.plan(miniweb, tmp_path / "out", recipe=load(recipe, change)) if step.missing}
    again = go(miniweb, tmp_path / "out", recipe, **change)
    assert again.steps - {"documents", "tokenize"} == redone
    # What is sifted is signed in the same pass.
    signed = {"sign"} if "sift" in redone else set()
    assert missing == redone | signed | ({"documents"} if redone else set())
    fresh = tmp_path / "fresh"
    go(miniweb, fresh, recipe, **change)
    assert tree(tmp_path / "out") == tree(fresh)


def test_a_changed_filter_reads_no_warc(miniweb: Path, recipe: Path, tmp_path: Path, monkeypatch: Any) -> None:
    go(miniweb, tmp_path / "out", recipe)
    monkeypatch.setattr("tamis.pipeline.extraction.Extraction.run", lambda *_: pytest.fail("a WARC was read again"))
    go(miniweb, tmp_path / "out", recipe, filters=[{"keep": "chars", "at_least": 500}])


def test_only_units_of_an_edited_input_are_redone(recipe: Path, tmp_path: Path) -> None:
    from tamis.demo import pack

    manifest = pack(tmp_path / "crawl")
    go(manifest, tmp_path / "out", recipe)
    victim = tmp_path / "crawl" / "miniweb-00001.warc.gz"
    victim.write_bytes(victim.read_bytes()[:-2000])
    again = go(manifest, tmp_path / "out", recipe)
    assert [unit for unit in again.units if unit.startswith("sift/")] == ["sift/00001-000"]


def test_another_recipe_is_refused(miniweb: Path, recipe: Path, plain_recipe: Path, tmp_path: Path) -> None:
    go(miniweb, tmp_path / "out", recipe)
    before = tree(tmp_path / "out")
    with pytest.raises(OutputError, match="resume"):
        go(miniweb, tmp_path / "out", plain_recipe)
    assert tree(tmp_path / "out") == before


def test_going_back_to_the_first_settings_gives_the_first_bytes(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    go(miniweb, tmp_path / "out", recipe)
    before = tree(tmp_path / "out")
    go(miniweb, tmp_path / "out", recipe, **{"dedup.threshold": 0.99})
    go(miniweb, tmp_path / "out", recipe)
    assert tree(tmp_path / "out") == before


def test_an_exception_between_units_loses_nothing_committed(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    class Stops(Counted):
        def run(self, work: Any, shards: Any) -> Any:
            for receipts in super().run(work, shards):
                yield receipts
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tamis.run(miniweb, tmp_path / "out", recipe=recipe, executor=Stops())
    again = go(miniweb, tmp_path / "out", recipe)
    assert "sift/00000-000" not in again.units
    go(miniweb, tmp_path / "fresh", recipe)
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment_it_ends_with_the_same_bytes(
    seed: int, miniweb: Path, recipe: Path, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    output = tmp_path / "out"
    command = [sys.executable, "-m", "tamis", "run", str(miniweb), str(output), "--recipe", str(recipe)]
    command += ["--workers", "2", "--set", "read.unit_bytes=60000"]
    for _ in range(3):
        process = subprocess.Popen(
            command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.5, 4.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    fresh = tmp_path / "fresh"
    tamis.run(miniweb, fresh, recipe=recipe, executor="inline", overrides={"read.unit_bytes": 60000})
    assert tree(output) == tree(fresh)


def test_the_sealed_manifest_names_every_file_with_its_checksum(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    import xxhash

    go(miniweb, tmp_path / "out", recipe)
    named = set()
    for line in (tmp_path / "out" / NAME).read_text().splitlines():
        for entry in json.loads(line)["files"]:
            data = (tmp_path / "out" / entry["path"]).read_bytes()
            assert (len(data), xxhash.xxh3_64_hexdigest(data)) == (entry["bytes"], entry["checksum"])
            named.add(entry["path"])
    for folder in ("documents", "dropped", "signatures", "work"):
        assert {path for path in tree(tmp_path / "out") if path.startswith(folder)} <= named


def test_a_receipt_is_small(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    go(miniweb, tmp_path / "out", recipe)
    lines = (tmp_path / "out" / NAME).read_text().splitlines()
    assert max(len(line) for line in lines) < 16_000
    assert isinstance(Receipt("s", "a", "f").to_json(timing=True), str)
