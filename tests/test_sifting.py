"""The filter commands, run as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tamis.cli import app

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
