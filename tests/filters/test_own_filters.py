"""Filters of one's own: the examples of docs/filters.md run as they stand, and a fault costs a run one document."""

from __future__ import annotations

import json
import logging
import re
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis import Chain, keep, per_document, recipe, runs
from tamis.filters import build, registry

DOCS = Path(__file__).resolve().parents[2] / "docs" / "filters.md"
SECTION = DOCS.read_text("utf-8").partition("## Filters of your own")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
(TOML,) = re.findall(r"```toml\n(.*?)```", SECTION, re.DOTALL)


def batch(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": ["eng_Latn"] * len(texts)})


def defined(block: str) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "documented"}
    exec(block, scope)
    return scope


@pytest.mark.parametrize(
    ("number", "kept", "dropped"),
    [
        (0, "Quiet here.", "Loud! Loud!"),
        (1, "a line\nof length", "short\nlines"),
        (2, "the people of the town have a letter", "three words only"),
        (3, "one cookie", "cookie cookie"),
    ],
)
def test_the_documented_examples_run(number: int, kept: str, dropped: str) -> None:
    assert len(BLOCKS) == 5
    assert sum(line.strip() != "" for line in BLOCKS[number].splitlines()) <= 10
    sifted = defined(BLOCKS[number])["chain"](batch(kept, dropped))
    assert sifted.kept["text"].to_pylist() == [kept]
    assert not [reason for reason in sifted.dropped["reason"].to_pylist() if reason.startswith("error:")]


def test_the_documented_recipe_imports_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(BLOCKS[0].replace("exclamation_share", "exclamation_share_of_file"), "utf-8")
    (tmp_path / "mine.toml").write_text(TOML.replace("exclamation_share", "exclamation_share_of_file"), "utf-8")
    assert tomllib.loads(TOML)["import"] == ["./mine.py"]
    (chain,) = recipe.load(tmp_path / "mine.toml").settings().filters
    assert chain(batch("Quiet here.", "Loud! Loud!")).kept["text"].to_pylist() == ["Quiet here."]


def test_the_documented_family_is_found_by_its_entry_point() -> None:
    defined(BLOCKS[0])
    try:
        defined(BLOCKS[4])
        (chain,) = build([{"chain": "calm", "max_exclamations": {"default": 0.02, "deu_Latn": 0.5}}])
    finally:
        registry._CHAINS.pop("calm", None)
    assert chain(batch("Quiet here.", "Loud! Loud!")).kept["text"].to_pylist() == ["Quiet here."]
    assert [rule.origin for rule in chain.rules()] == ["given"]


def test_an_exception_costs_a_run_one_document_and_the_run_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @per_document
    def town_is_known(text: str) -> float:
        if "Budapest" in text:
            raise ValueError("no such town")
        return 1.0

    texts = ["The letter came from Vienna, and nobody there had ever seen it.", "Another came from Budapest."]
    rows = [{"id": f"d{number}", "text": text} for number, text in enumerate(texts)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    chain = Chain(keep(town_is_known, at_least=1), name="mine")
    with caplog.at_level(logging.WARNING):
        report = runs.run(tmp_path / "docs.jsonl", tmp_path / "out", filters=chain, executor="inline",
                            overrides={"langid.at_least": 0.0})  # fmt: skip
    assert "'town_is_known' raised on 1 documents at step 'mine'" in caplog.text
    assert "raised on 1 documents" in (tmp_path / "out" / "report" / "index.html").read_text("utf-8")
    assert report.ledger.total("mine", "dropped", reason="error:town_is_known").documents == 1
    dropped = pa.concat_tables(pq.read_table(path) for path in sorted((tmp_path / "out" / "dropped").iterdir()))
    (row,) = [row for row in dropped.to_pylist() if row["reason"] == "error:town_is_known"]
    assert row["id"].endswith("d1")
    assert "Traceback" in row["detail"] and "ValueError: no such town" in row["detail"]


def test_lambdas_of_two_modules_do_not_collide() -> None:
    for home in ("one", "other"):
        scope = {"__name__": home}
        exec(BLOCKS[2], scope)
        assert [rule.reason for rule in scope["chain"].rules()][-1] == "custom"
