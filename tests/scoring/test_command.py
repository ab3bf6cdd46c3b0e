"""`tamis score`: scores beside what the documents have, the best of each language kept, books and all."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tamis.cli import app
from tamis.scoring.examples import gather
from tamis.scoring.fasttext_train import Fit
from tamis.scoring.training import Training, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a classifier that likes rivers, and documents of two languages that have more or fewer of them."""
    made = tmp_path_factory.mktemp("score")
    random = Random(2)
    rows = (
        (" ".join(random.choices(("river sea", "click buy")[i % 2].split(), k=20)), 1.0 - i % 2, None)
        for i in range(200)
    )
    train(gather(rows), made / "model", Training(fasttext=Fit(width=8, buckets=1000)))
    with (made / "in.jsonl").open("w") as file:
        for number in range(100):
            words = ["river"] * (number % 50) + ["buy"] * (50 - number % 50 - (number // 50) * 10)
            language = ("eng_Latn", "deu_Latn")[number // 50]
            file.write(
                json.dumps({"id": f"d{number}", "text": " ".join(words), "language": language, "own": number}) + "\n"
            )
    return made


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_the_best_of_each_language_stay(folder: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    command = ["score", str(folder / "in.jsonl"), str(out), "--model", str(folder / "model"), "--keep-percent", "40"]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    if suffix == "parquet":
        rows = pq.read_table(out).to_pylist()
    else:
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    by_language = {code: [row for row in rows if row["language"] == code] for code in ("eng_Latn", "deu_Latn")}
    # The same share of both, though every German document has fewer bad words; order and other columns as they were.
    assert [len(each) for each in by_language.values()] == [20, 20]
    assert [row["own"] for row in rows] == sorted(row["own"] for row in rows)
    assert min(row["own"] for row in by_language["eng_Latn"]) == 30
    assert all(row["score_windows"] == 1 for row in rows)


def test_without_a_bound_everything_is_scored_and_kept(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    command = ["score", str(folder / "in.jsonl"), str(out), "--model", str(folder / "model"), "--name", "quality"]
    assert CliRunner().invoke(app, command).exit_code == 0
    table = pq.read_table(out)
    assert table.num_rows == 100 and {"quality", "quality_windows", "quality_coverage"} <= set(table.column_names)
