"""The filter commands, run as a user runs them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from typer.testing import CliRunner

from tamis.cli import app
from tamis.errors import InputError, OutputError
from tamis.recipe import recipes_folder

PROSE = "The people of the town have to be patient with letter {0}, and that is hard for them and their {0} friends."

PROSE_LINES = (
    "The people of the town have to be patient, because the letter they wait for has not come. That is hard on them.",
    "Nobody knows who wrote it first! Some say it was the baker; others believe that a child found it in a drawer.",
    "What would you do with an old letter? Most would read it aloud and put it away with the bills of last winter.",
    "In the end the postman brought three of them at once, and everyone went home to see what each one had to say.",
)


def invoke(*arguments: str) -> str:
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_signals_names_rules_bounds_and_origins() -> None:
    shown = invoke("signals", "--lang", "tam")
    assert "tam_Taml" in shown
    assert "mean_word_letters" in shown
    assert "arXiv 2112.11446" in shown
    assert "fitted to tam_Taml" in shown


def test_sift_shows_kept_and_dropped(tmp_path: Path) -> None:
    file = tmp_path / "docs.jsonl"
    long = "\n".join(PROSE_LINES)
    rows = [{"text": long}, {"text": "short"}, {"text": "lorem"}]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    shown = invoke("sift", str(file), "--lang", "en")
    assert "kept 1 of 3" in shown
    assert "gopher_quality: word_count" in shown


def documents(tmp_path: Path) -> Path:
    """Write twelve documents of prose, of which four have fewer than seventy words."""
    file = tmp_path / "docs.jsonl"
    made = [[f"{number * 7919 + n} {line}" for n, line in enumerate(PROSE_LINES)] for number in range(12)]
    rows = [{"id": f"d{n}", "text": " ".join(lines[: 3 if n % 3 == 0 else 4])} for n, lines in enumerate(made)]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return file


@pytest.mark.parametrize("kind", ["parquet", "jsonl.gz", "jsonl.zst", "txt"])
def test_sift_reads_every_format(tmp_path: Path, kind: str) -> None:
    texts, file = [" ".join(PROSE_LINES), "short"], tmp_path / f"docs.{kind}"
    lines = "\n".join(json.dumps({"text": text}) for text in texts).encode()
    if kind == "parquet":
        pq.write_table(pa.table({"text": texts, "language": ["eng_Latn", "eng_Latn"]}), file)
    elif kind == "txt":
        file.write_text("\n".join(texts), "utf-8")
    else:
        file.write_bytes(gzip.compress(lines) if kind == "jsonl.gz" else zstandard.compress(lines))
    shown = invoke("sift", str(file), "--lang", "en")
    assert "kept 1 of 2" in shown
    line = next(line for line in shown.splitlines() if "gopher_quality" in line and "short" in line)
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == [
        "gopher_quality",
        "word_count",
        "1",
        "50",
        "short",
    ]


def test_resift_judges_stored_texts_anew_and_compare_says_what_it_cost(tmp_path: Path) -> None:
    source, open_rules = documents(tmp_path), ["--set", "dedup.threshold=1.0"]
    for folder in ("before", "after"):
        invoke("run", str(source), str(tmp_path / folder), "--executor", "inline", *open_rules)
    extracted = tmp_path / "after" / "work" / "extract"
    stored = {path: path.stat().st_mtime_ns for path in sorted(extracted.iterdir())}
    (tmp_path / "mine.toml").write_text((recipes_folder() / "default.toml").read_text("utf-8"), "utf-8")
    shorter = (
        (tmp_path / "mine.toml")
        .read_text("utf-8")
        .replace('chain = "gopher_quality"', 'chain = "gopher_quality"\nmin_words = 75')
    )
    (tmp_path / "mine.toml").write_text(f'name = "default"\n{shorter}', "utf-8")
    shown = invoke("resift", str(tmp_path / "after"), "--recipe", str(tmp_path / "mine.toml"), *open_rules)
    assert "report/index.html" in shown
    assert {path: path.stat().st_mtime_ns for path in sorted(extracted.iterdir())} == stored, "no text was read again"
    compared = invoke("compare", str(tmp_path / "before"), str(tmp_path / "after"))
    assert "word_count" in compared and "eng_Latn" in compared
    # With the recipe of the run, which its lock names, all is as before.
    invoke("resift", str(tmp_path / "after"), *open_rules)
    ledgers = [(tmp_path / folder / "ledger.csv").read_bytes() for folder in ("before", "after")]
    assert ledgers[0] == ledgers[1]


def test_resift_refuses_where_texts_are_gone(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no run"):
        invoke("resift", str(tmp_path))
    invoke("run", str(documents(tmp_path)), str(tmp_path / "out"), "--executor", "inline", "--clean")
    with pytest.raises(InputError, match="no stored texts"):
        invoke("resift", str(tmp_path / "out"), "--set", "output.sample_chars=10")


def test_train_thresholds_writes_bounds_and_says_what_it_refused(tmp_path: Path) -> None:
    rows = [f"eng_Latn\tmade\t{PROSE.format(number * 7919)}" for number in range(200)]
    rows += [f"swh_Latn\tmade\tneno la {number}" for number in range(9)]
    (tmp_path / "rows.tsv").write_text("\n".join(rows), "utf-8")
    shown = invoke("train", "thresholds", str(tmp_path / "rows.tsv"), str(tmp_path / "out.toml"))
    assert "[mean_word_letters.at_most]\neng_Latn = " in (tmp_path / "out.toml").read_text("utf-8")
    assert "swh_Latn mean_word_letters at_most: 0 passages are too few" in shown
    assert "it can never fire" in shown


def test_signals_refuses_an_unknown_language() -> None:
    with pytest.raises(Exception, match="language"):
        invoke("signals", "--lang", "klingonish")
