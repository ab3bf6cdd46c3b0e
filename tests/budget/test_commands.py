from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tamis.budget.mixture import read
from tamis.budget.page import View
from tamis.budgets import count
from tamis.cli import app
from tamis.errors import ConfigError


@pytest.fixture
def finished(tmp_path: Path, make_view: Callable[..., View]) -> Path:
    """A folder with the books of a finished run and no files beside them."""
    pq.write_table(make_view(6, 0).ledger.table(), tmp_path / "ledger.parquet")
    (tmp_path / "manifest.jsonl").write_text("")
    return tmp_path


@pytest.mark.parametrize(("text", "value"), [("1T", 1e12), ("300B", 3e11), ("5m", 5e6), ("5e11", 5e11), ("42", 42)])
def test_numbers_of_tokens(text: str, value: float) -> None:
    assert count(text) == value


def test_a_number_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigError, match="many"):
        count("many")


def test_mix_writes_a_plan(finished: Path) -> None:
    target = finished / "mix.json"
    found = CliRunner().invoke(app, ["mix", str(finished), "--tokens", "100B", "--save", str(target)])
    assert found.exit_code == 0, found.output
    plan = read(target.read_text())
    assert sum(share.weight for share in plan.shares) == pytest.approx(1)
    assert len(plan.shares) == 6
    assert "worth" in found.output


def test_report_prints_the_budget_and_writes_the_page(finished: Path) -> None:
    found = CliRunner().invoke(app, ["report", str(finished), "--budget", "1e21"])
    assert found.exit_code == 0, found.output
    assert "on record" in found.output
    page = finished / "page.html"
    assert CliRunner().invoke(app, ["report", str(finished), "--html", str(page)]).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")


def test_the_budget_as_json(finished: Path) -> None:
    (finished / "report").mkdir()
    (finished / "report/budget.json").write_text(json.dumps({"languages": [], "problems": []}))
    found = CliRunner().invoke(app, ["report", str(finished), "--json"])
    assert json.loads(found.output) == {"languages": [], "problems": []}
