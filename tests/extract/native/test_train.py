"""Training from end to end on a small made-up set, by the command and by the function."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tamis.cli import app
from tamis.errors import ModelError
from tamis.extract import load
from tamis.extract.native.train import Recipe, train

WORDS = ("harbour", "ferry", "winter", "island", "morning", "keeper", "lamp", "stone", "weather", "letter")


def sentence(draw: random.Random) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(8, 16))).capitalize() + "."


def page(draw: random.Random, site: int) -> tuple[str, str]:
    """A page of one of the made-up sites, and its gold: paragraphs among menus, teasers and a footer."""
    text = [sentence(draw) + " " + sentence(draw) for _ in range(draw.randint(3, 8))]
    inside = "".join(f"<p>{each}</p>" for each in text)
    menu = "".join(f"<li><a href=/{n}>{draw.choice(WORDS)}</a></li>" for n in range(8))
    teasers = "".join(f"<div class=teaser><a href=/{n}>{sentence(draw)}</a></div>" for n in range(4))
    html = (
        f"<title>{draw.choice(WORDS)}</title><nav class=menu><ul>{menu}</ul></nav>"
        f"<div class='body site{site}'>{inside}</div>{teasers}<footer>Copyright 2020 {site}</footer>"
    )
    return html, "\n".join(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pages of twelve hosts, as a folder of gold text."""
    pytest.importorskip("lightgbm", reason="LightGBM, which training needs, is not installed: pip install lightgbm")
    place, draw = tmp_path_factory.mktemp("pages") / "made", random.Random(7)
    place.mkdir()
    with gzip.open(place / "gold.jsonl.gz", "wt") as rows:
        for number in range(60):
            html, text = page(draw, number % 12)
            (place / f"{number}.gz").write_bytes(gzip.compress(html.encode()))
            url = f"http://s{number % 12}.example/{number}"
            row = {"id": f"{number:03}", "html": f"{number}.gz", "url": url, "gold": {"main_content": text}}
            rows.write(json.dumps(row) + "\n")
    return place


def test_a_trained_model_extracts(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.npz"
    done = CliRunner().invoke(app, ["train", "extractor", str(folder), "--out", str(out), "--folds", "2"])
    assert done.exit_code == 0, done.output
    assert "60 made" in done.output
    card = json.loads(out.with_suffix(".json").read_text())
    assert card["cross_validated"]["made"]["f1"] > 0.9
    mine, draw = load("native", {"model": str(out)}), random.Random(8)
    assert mine.version != load("native").version
    html, text = page(draw, 99)
    found = mine.extract(html, None)
    assert found.text.replace("\n\n", "\n") == text
    assert found.confidence > 0.8


def test_the_same_pages_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    recipe = Recipe(trees=(4, 3), leaves=(6, 6))
    made = [tmp_path / name for name in ("one.npz", "two.npz")]
    for out in made:
        train([folder], out, recipe)
    assert made[0].read_bytes() == made[1].read_bytes()


def test_a_model_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Cannot read"):
        load("native", {"model": str(tmp_path / "absent.npz")}).extract("<p>x", None)
    assert CliRunner().invoke(app, ["train", "extractor", str(tmp_path), "--out", "model.bin"]).exit_code
