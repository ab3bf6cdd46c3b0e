"""Bad input gets a clear message and a non-zero exit, and costs nothing that was committed."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest


def tamis(*arguments: object, check: int | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tamis", *(str(each) for each in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    if check is not None:
        assert done.returncode == check, done.stderr
    return done


def run(manifest: object, output: object, recipe: object, *more: object, check: int) -> str:
    done = tamis("run", manifest, output, "--recipe", recipe, "--executor", "inline", *more, check=check)
    return done.stderr


@pytest.fixture(scope="module")
def crawl(miniweb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of one good WARC."""
    path = tmp_path_factory.mktemp("crawl") / "one.paths"
    path.write_text(f"{miniweb.parent / 'miniweb-00000.warc.gz'}\n")
    return path


def test_a_missing_manifest(plain_recipe: Path, tmp_path: Path) -> None:
    assert "nowhere.paths" in run(tmp_path / "nowhere.paths", tmp_path / "out", plain_recipe, check=3)


@pytest.mark.parametrize("name", ["empty.paths", "empty.paths.gz"])
def test_an_empty_manifest(name: str, plain_recipe: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"\n# nothing\n") if name.endswith(".gz") else b"")
    assert "empty" in run(path, tmp_path / "out", plain_recipe, check=3) or name.endswith(".gz")


def test_a_path_that_does_not_exist_leaves_the_others_done(crawl: Path, plain_recipe: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "two.paths"
    manifest.write_text(crawl.read_text() + "missing/file.warc.gz\n")
    message = run(manifest, tmp_path / "out", plain_recipe, check=8)
    assert "missing/file.warc.gz" in message
    assert list((tmp_path / "out" / "documents").iterdir())
    assert "missing/file.warc.gz" in (tmp_path / "out" / "report" / "budget.json").read_text()
    again = run(manifest, tmp_path / "out", plain_recipe, check=8)
    assert "missing/file.warc.gz" in again


def test_nothing_that_can_be_read_at_all(plain_recipe: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "all.paths"
    manifest.write_text("a.warc.gz\nb.warc.gz\n")
    assert "a.warc.gz" in run(manifest, tmp_path / "out", plain_recipe, check=3)


def test_not_a_warc(plain_recipe: Path, tmp_path: Path) -> None:
    path = tmp_path / "error.warc.gz"
    path.write_bytes(b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>")
    done = tamis("run", path, tmp_path / "out", "--recipe", plain_recipe, "--executor", "inline")
    assert done.returncode != 0
    assert "error.warc.gz" in done.stderr
    assert "SlowDown" not in "".join(str(each.read_bytes()) for each in tmp_path.rglob("*.parquet"))


def test_a_folder_of_another_recipe(crawl: Path, plain_recipe: Path, tmp_path: Path) -> None:
    run(crawl, tmp_path / "out", plain_recipe, check=0)
    ledger = (tmp_path / "out" / "ledger.csv").read_bytes()
    other = tmp_path / "other.toml"
    other.write_text("description = 'another'\n")
    message = run(crawl, tmp_path / "out", other, check=4)
    assert "plain" in message
    assert "other" in message
    assert (tmp_path / "out" / "ledger.csv").read_bytes() == ledger


def test_a_folder_with_something_else_in_it(crawl: Path, plain_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    assert "thesis.tex" in run(crawl, tmp_path / "out", plain_recipe, check=4)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"


def test_an_output_that_is_a_file(crawl: Path, plain_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    run(crawl, tmp_path / "out", plain_recipe, check=4)


def test_a_read_only_folder(crawl: Path, plain_recipe: Path) -> None:
    assert "/proc/tamis" in run(crawl, "/proc/tamis", plain_recipe, check=4)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[langid]\nkeep = ['fraa_Latn']", ["fraa_Latn"]),
        ("[langid]\nkeep = ['klingon-plus']", ["klingon-plus"]),
        ("[langid]\nkepe = ['fra_Latn']", ["kepe", "'keep'"]),
        ("[langidd]\n", ["langidd", "'langid'"]),
        ("[[filters]]\nchain = 'gofer_quality'", ["gofer_quality", "gopher_quality"]),
        ("[[filters]]\nkeep = 'chrs'\nat_least = 3", ["chrs"]),
        ("[dedup]\nthreshold = 1.5", ["threshold"]),
        ("[dedup]\nbands = 'many'", ["dedup.bands", "many"]),
        ("[tokenize]\nseparator = 'comma'", ["comma"]),
        ("[tokenize]\nshard_tokens = 0", ["0"]),
        ("[extract]\nextractor = 'trafilatora'", ["trafilatora", "trafilatura"]),
        ("[read]\nunit_bytes = 'a lot'", ["a lot"]),
        ("[[filters]]\nchain = 'gopher_quality'\nvariant = 'dolma'", ["eng_Latn", "every language", "force"]),
        ("filters = 3", ["filters"]),
        ("not toml at all", ["TOML"]),
    ],
)
def test_a_wrong_recipe_is_refused_before_anything_is_read(
    text: str, words: list[str], crawl: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "wrong.toml"
    recipe.write_text(text)
    message = run(crawl, tmp_path / "out", recipe, check=2)
    assert all(word in message for word in words), message
    assert not (tmp_path / "out").exists()


def test_an_unknown_recipe_names_the_nearest(crawl: Path, tmp_path: Path) -> None:
    assert "fineweb" in run(crawl, tmp_path / "out", "finewebb", check=2)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"not json"])
def test_a_broken_tokenizer_file(content: bytes | None, crawl: Path, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    recipe = tmp_path / "broken.toml"
    recipe.write_text(f"[tokenize]\ntokenizer = '{path}'\n")
    assert "tokenizer.json" in run(crawl, tmp_path / "out", recipe, check=5)


def test_an_unknown_executor(crawl: Path, plain_recipe: Path, tmp_path: Path) -> None:
    done = tamis("run", crawl, tmp_path / "out", "--recipe", plain_recipe, "--executor", "spark", check=2)
    assert "spark" in done.stderr


def test_a_report_of_a_folder_without_a_run(tmp_path: Path) -> None:
    tamis("report", tmp_path, check=4)


def test_overrides_are_checked_like_the_recipe(crawl: Path, plain_recipe: Path, tmp_path: Path) -> None:
    assert "treshold" in run(crawl, tmp_path / "out", plain_recipe, "--set", "dedup.treshold=0.7", check=2)
    assert "no value" in run(crawl, tmp_path / "out", plain_recipe, "--set", "dedup.threshold", check=2)


def test_the_report_of_a_finished_run_can_be_printed(crawl: Path, plain_recipe: Path, tmp_path: Path) -> None:
    run(crawl, tmp_path / "out", plain_recipe, check=0)
    assert "eng_Latn" in tamis("report", tmp_path / "out", check=0).stdout
    assert tamis("report", tmp_path / "out", "--csv", check=0).stdout.startswith('"step","language"')
    assert tamis("report", tmp_path / "out", "--json", check=0).stdout.startswith("{")
    plan = tamis("plan", crawl, tmp_path / "out", "--recipe", plain_recipe, check=0).stdout
    assert "documents" in plan


def test_the_doctor_is_well() -> None:
    assert "Healthy" in tamis("doctor", check=0).stdout


def test_logs_have_no_escapes(crawl: Path, plain_recipe: Path, tmp_path: Path) -> None:
    done = tamis("run", crawl, tmp_path / "out", "--recipe", plain_recipe, "--executor", "inline", check=0)
    assert "\x1b" not in done.stdout + done.stderr
    assert "\r" not in done.stdout + done.stderr
