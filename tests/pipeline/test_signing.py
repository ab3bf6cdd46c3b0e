"""Signing apart from curate, as cards do: the same bytes whoever signs, resumed either way, refused in plain words."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tamis
from tamis.errors import ConfigError
from tamis.pipeline import stage
from tamis.pipeline.executor import InlineExecutor
from tamis.pipeline.local import LocalExecutor
from tamis.pipeline.manifest import NAME, Manifest, Receipt
from tamis.pipeline.shard import Shard
from tamis.pipeline.storage import Storage
from tamis.pipeline.work import Work

RECIPE = 'name = "signing"\n[dedup]\nkeep_sets = true\n'


class Cluster(InlineExecutor):
    """An executor with a card elsewhere: what it lends remembers which units it was given."""

    def __init__(self, lost_after: int | None = None) -> None:
        self.lent: list[str] = []
        self.own: list[str] = []
        self._lost_after = lost_after

    def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
        for number, shard in enumerate(shards):
            if number == self._lost_after:
                raise KeyboardInterrupt
            self.own.append(str(shard))
            yield work(shard)

    def gpus(self) -> float:
        return 1.0

    def staying(self, gpus: float) -> InlineExecutor:
        assert gpus == 1.0
        other = self

        class Lent(InlineExecutor):
            def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
                for shard in shards:
                    other.lent.append(str(shard))
                    yield work(shard)

        return Lent()


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "signing.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card is torch on the CPU: the very path of CUDA but for the fused kernel."""
    pytest.importorskip("torch", reason="signing apart computes by torch")
    monkeypatch.setattr("tamis.scoring.device.claim", lambda: "cpu")


def go(manifest: Path, output: Path, recipe: Path, executor: Any, device: str) -> None:
    tamis.run(manifest, output, recipe=recipe, executor=executor, overrides={"dedup.device": device})


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.usefixtures("card")
def test_no_byte_tells_which_device_signed(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    tamis.run(miniweb, tmp_path / "plain", recipe=recipe, executor="inline")
    cluster = Cluster()
    go(miniweb, tmp_path / "card", recipe, cluster, "cuda")
    assert cluster.lent and {unit.partition("/")[0] for unit in cluster.lent} == {"sign"}
    assert not any(unit.startswith("sign/") for unit in cluster.own)
    assert tree(tmp_path / "card") == tree(tmp_path / "plain")
    # Nor is there anything to do for the other device.
    again = Cluster()
    go(miniweb, tmp_path / "plain", recipe, again, "cuda")
    assert again.own == again.lent == []


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize("first", ["cpu", "cuda"])
def test_a_run_goes_on_with_another_device(first: str, miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(miniweb, tmp_path / "out", recipe, Cluster(lost_after=1), first)
    go(miniweb, tmp_path / "out", recipe, second := Cluster(), {"cpu": "cuda", "cuda": "cpu"}[first])
    assert bool(second.lent) == (first == "cpu")
    go(miniweb, tmp_path / "fresh", recipe, InlineExecutor(), "cpu")
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_lost_signatures_are_made_again_without_sifting(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    go(miniweb, out, recipe, InlineExecutor(), "cpu")
    before = tree(out)
    (victim := sorted((out / "signatures").iterdir())[0]).unlink()
    for path in (out / "documents").iterdir():
        path.unlink()
    manifest = Manifest(Storage(str(out)))
    manifest.void([Shard(each.step, each.shard, "") for each in manifest.all() if each.step == "documents"])
    executor = Cluster()
    go(miniweb, out, recipe, executor, "cpu")
    units = [unit for unit in executor.own if unit.partition("/")[0] in ("sift", "sign")]
    assert units == [f"sign/{victim.stem}"] and tree(out) == before


def test_survivors_made_anew_are_signed_anew(miniweb: Path, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # A record set aside on the second try changes a unit without changing what it depends on.
    go(miniweb, out, recipe, InlineExecutor(), "cpu")
    before = tree(out)
    manifest = Manifest(Storage(str(out)))
    manifest.void([Shard(each.step, each.shard, "") for each in manifest.all() if each.step in ("sift", "documents")])
    seen: list[str] = []

    class Watched(InlineExecutor):
        def run(self, work: Work, shards: Iterable[Shard]) -> Iterator[tuple[Receipt, ...]]:
            shards = list(shards)
            if any(shard.step == "sift" for shard in shards):
                voided = Manifest(Storage(str(out)))
                seen.extend(each.step for each in voided.all() if each.step == "sign")
            yield from super().run(work, shards)

    go(miniweb, out, recipe, Watched(), "cpu")
    assert seen == [] and tree(out) == before


def test_auto_signs_on_the_cpu_and_says_so(
    miniweb: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tamis.scoring.device.cuda_devices", lambda: 0)
    with caplog.at_level(logging.WARNING, "tamis"):
        go(miniweb, tmp_path / "auto", recipe, InlineExecutor(), "auto")
    assert 'MinHash runs on the CPU: device = "auto" found no CUDA device.' in caplog.messages
    go(miniweb, tmp_path / "cpu", recipe, InlineExecutor(), "cpu")
    assert tree(tmp_path / "auto") == tree(tmp_path / "cpu")


def test_a_card_that_is_not_there_is_an_error_before_any_input(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="without torch the error is that it is missing")
    monkeypatch.setattr("tamis.scoring.device.cuda_devices", lambda: 0)
    with pytest.raises(ConfigError, match='MinHash asks for device = "cuda"'):
        go(tmp_path / "no-such-input.jsonl", tmp_path / "out", recipe, InlineExecutor(), "cuda")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="dedup device"):
        go(tmp_path / "no-such-input.jsonl", tmp_path / "out", recipe, InlineExecutor(), "gpu")


@pytest.mark.usefixtures("card")
def test_files_are_deduplicated_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [letter * 3 for letter in "abcdefghijkl"]
    rows = [{"id": str(n), "text": " ".join(words[n % 3 :] * 4)} for n in range(9)] + [{"id": "x", "text": "brief"}]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = []
    for device in ("cpu", "cuda"):
        monkeypatch.setattr(stage, "settle_signing", lambda *_, device=device: device)
        report = stage.dedup(tmp_path / "in.jsonl", tmp_path / f"{device}.parquet", scope="global", device=device)
        made.append((report.kept, (tmp_path / f"{device}.parquet").read_bytes()))
    assert made[0] == made[1] and made[0][0] == 4


@pytest.mark.usefixtures("card")
def test_cpu_workers_never_load_torch(
    miniweb: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tamis.pipeline.run.settle_signing", lambda *_: "cuda")
    monkeypatch.setattr("tamis.pipeline.run.lent", lambda *_: _inline())
    workers = LocalExecutor(2)
    try:
        go(miniweb, tmp_path / "out", recipe, workers, "cuda")
        probes = [Shard("probe", str(number), "") for number in range(2)]
        told = [receipt.facts["loaded"] for found in workers.run(_loaded, probes) for receipt in found]
    finally:
        workers.close()
    assert told == [[], []]
    assert '"step": "sign"' in (tmp_path / "out" / NAME).read_text()


def _loaded(shard: Shard) -> tuple[Receipt, ...]:
    loaded = [name for name in ("torch", "transformers") if name in sys.modules]
    return (Receipt(shard.step, shard.name, "", facts={"loaded": loaded}),)


def _inline() -> Any:
    from contextlib import nullcontext

    return nullcontext(InlineExecutor())
