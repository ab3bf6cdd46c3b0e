"""Scoring in a run: books, resume, the same bytes from every executor, best of duplicates, a driver without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from tamis.errors import ConfigError
from tamis.pipeline.manifest import parse
from tamis.recipe import Recipe
from tamis.runs import run
from tamis.scoring.examples import gather
from tamis.scoring.fasttext_train import Fit
from tamis.scoring.training import Training, train

GOOD_WORDS = "the river runs into a wide sea where people lived for many years and wrote about it"
BAD_WORDS = "click here buy now cheap free login password home page menu cookie accept"
GOOD, BAD = GOOD_WORDS.split(), BAD_WORDS.split()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained fastText classifier and 120 documents, two of them nearly alike."""
    folder = tmp_path_factory.mktemp("scoring")
    random = Random(1)
    rows = ((" ".join(random.choices(GOOD if i % 2 else BAD, k=30)) + f" {i}", float(i % 2), None) for i in range(300))
    train(gather(rows), folder / "model", Training(fasttext=Fit(width=8, buckets=1000)))
    texts = []
    for number in range(118):
        share = random.random()
        words = [random.choice(GOOD if random.random() < share else BAD) for _ in range(60)]
        texts.append(f"{number} " + " ".join(words))
    twin = " ".join(f"{random.choice(GOOD)}{i}" for i in range(80))
    texts += [f"{twin} cheap login click", f"{twin} river sea people"]
    lines = (json.dumps({"id": f"d{number}", "text": text}) for number, text in enumerate(texts))
    (folder / "in.jsonl").write_text("\n".join(lines))
    return folder


def recipe(folder: Path, **scoring: Any) -> Recipe:
    dedup = scoring.pop("dedup", {})
    return Recipe("scored", {"scoring": {"model": "model", **scoring}, "dedup": dedup}, folder)


def bytes_of(out: Path) -> dict[str, bytes]:
    """Everything a run publishes, by path."""
    kept = ("documents", "dropped", "tokens", "scores.parquet", "ledger.parquet", "manifest.jsonl")
    files = (path for name in kept for path in sorted([out / name, *(out / name).rglob("*")]) if path.is_file())
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def documents(out: Path) -> dict[str, dict[str, Any]]:
    rows = [row for path in sorted((out / "documents").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return {row["id"]: row for row in rows}


def test_a_run_drops_by_percentile_and_its_books_balance(work: Path, tmp_path: Path) -> None:
    report = run(work / "in.jsonl", tmp_path / "a", recipe=recipe(work, keep_percent=60), executor="inline")
    ledger = report.ledger
    taken, kept = ledger.total("score", "in"), ledger.total("score", "kept")
    assert taken == ledger.total("dedup", "kept") and kept == ledger.total("tokenize", "in")
    assert kept + ledger.total("score", "dropped", reason="score") == taken
    assert 0 < kept.tokens < taken.tokens
    table = {row["language"]: row for row in pq.read_table(tmp_path / "a/scores.parquet").to_pylist()}
    for code, row in table.items():
        assert ledger.total("score", "kept", language=code).documents == row["kept"] >= 0.6 * row["documents"]
    for row in documents(tmp_path / "a").values():
        assert row["score"] >= table[row["language"]]["cutoff"]
        assert (row["score_windows"], row["score_coverage"]) == (1, 1.0)
    dropped = [row for path in (tmp_path / "a/dropped").glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    mine = [row for row in dropped if row["step"] == "score"]
    assert len(mine) == taken.documents - kept.documents
    assert all(row["value"] < row["threshold"] for row in mine)

    page = (tmp_path / "a/report/index.html").read_text()
    assert "Model scores by language" in page and "█" in page
    shown = json.loads((tmp_path / "a/report/budget.json").read_text())["model_scores"]
    assert [row["language"] for row in shown] == list(table)

    # Another executor gives the same bytes; another cutoff needs no model.
    run(work / "in.jsonl", tmp_path / "b", recipe=recipe(work, keep_percent=60), executor="local", workers=2)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    steps: list[str] = []
    again = {"recipe": recipe(work, keep_percent=30), "executor": "inline"}
    run(work / "in.jsonl", tmp_path / "b", **again, progress=lambda step, *_: steps.append(step))
    assert "score" not in steps and "cutoff" in steps and "documents" in steps
    assert len(documents(tmp_path / "b")) < len(documents(tmp_path / "a"))

    # What is lost is scored again, to the same bytes.
    (tmp_path / "b/work/score/00000-000.arrow").unlink()
    run(work / "in.jsonl", tmp_path / "b", recipe=recipe(work, keep_percent=60), executor="inline")
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_the_best_of_duplicates_stays(work: Path, tmp_path: Path) -> None:
    best = {"survivor": "score", "score_column": "quality"}
    run(work / "in.jsonl", tmp_path, recipe=recipe(work, name="quality", dedup=best), executor="inline")
    found = documents(tmp_path)
    twins = [ident for ident in found if ident.endswith(("d118", "d119"))] or list(found)[-1:]
    text = next(row["text"] for row in found.values() if row["cluster_size"] == 2)
    assert len(twins) == 1 and "river sea people" in text
    steps = [parse(line).step for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert steps.count("score") == 1 and "quality" in next(iter(found.values()))


def test_the_driver_never_loads_torch(work: Path, zoo: Callable[[str], Path], tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from tamis.recipe import Recipe\n"
        "from tamis.runs import run\n"
        f"scoring = {{'model': {str(zoo('bert'))!r}, 'keep_percent': 50, 'batch_tokens': 4096}}\n"
        "recipe = Recipe('neural', {'scoring': scoring}, Path('/'))\n"
        f"run({str(work / 'in.jsonl')!r}, {str(tmp_path / 'out')!r}, recipe=recipe, executor='inline')\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
        "import torch\n"
        "assert not torch.cuda.is_initialized()\n"
    )
    subprocess.run([sys.executable, str(script)], check=True, timeout=240)
    rows = documents(tmp_path / "out")
    assert rows and all(row["score_windows"] > 1 and row["score_coverage"] == 1 for row in rows.values())


def test_cuda_that_is_not_there_is_an_error_before_any_input(
    work: Path, zoo: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tamis.scoring.device.cuda_devices", lambda: 0)
    wanted = recipe(work, model=str(zoo("bert")), device="cuda")
    with pytest.raises(ConfigError, match='device = "cuda"'):
        run(tmp_path / "no-such-input.jsonl", tmp_path / "out", recipe=wanted, executor="inline")
    assert not (tmp_path / "out").exists()


def test_a_recipe_must_name_its_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="names no model"):
        Recipe("x", {"scoring": {"keep_percent": 10}}, tmp_path).settings()
    with pytest.raises(ConfigError, match="Did you mean 'keep_percent'"):
        Recipe("x", {"scoring": {"model": "m", "keep_percents": 10}}, tmp_path).settings()


def test_ray_actors_keep_their_model(work: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="the ray executor needs Ray")
    run(work / "in.jsonl", tmp_path / "a", recipe=recipe(work, keep_percent=60), executor="inline")
    try:
        run(work / "in.jsonl", tmp_path / "b", recipe=recipe(work, keep_percent=60), executor="ray", workers=2)
    finally:
        ray.shutdown()
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
