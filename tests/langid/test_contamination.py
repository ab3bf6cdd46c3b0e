"""One per cent of a language among a confusable one: found, kept pure, and its contamination known, in a whole run."""

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.dataset as ds
import pytest

import tamis
from tamis.langid.train import is_held_out
from tamis.recipe import Recipe

DOCUMENTS, RARE = 4000, 40


def held_out(shared: Path, locale: str) -> list[str]:
    """Sentences of Common Voice that the shipped model was not trained on."""
    with gzip.open(shared / "text/common-voice/sentences.tsv.gz", "rt", encoding="utf-8", newline="\n") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [row["text"] for row in rows if row["locale"] == locale and is_held_out(row["text"], 0.1)]


@pytest.mark.parametrize(("rare", "common"), [("sk_slk_Latn", "cs_ces_Latn"), ("tt_tat_Cyrl", "kk_kaz_Cyrl")])
def test_a_rare_language_among_a_confusable_one(shared: Path, tmp_path: Path, rare: str, common: str) -> None:
    random_ = random.Random(1)
    texts = {name: held_out(shared, name.partition("_")[0]) for name in (rare, common)}
    assert min(map(len, texts.values())) > 100
    names = [rare] * RARE + [common] * (DOCUMENTS - RARE)
    truth = {f"d{n}": name.partition("_")[2] for n, name in enumerate(names)}
    rows = [{"id": f"d{n}", "text": " ".join(random_.choices(texts[name], k=3))} for n, name in enumerate(names)]
    random_.shuffle(rows)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    found = {name: run(tmp_path, name, at_least) for name, at_least in (("all", 0.0), ("pure", "purity"))}
    x = rare.partition("_")[2]
    said = [row["id"] for row in found["all"] if row["language"] == x]
    contamination = sum(truth[ident] != x for ident in said) / len(said)
    kept = [row["id"] for row in found["pure"] if row["language"] == x]
    right = sum(truth[ident] == x for ident in kept)
    assert right >= 0.9 * RARE
    assert right >= 0.95 * len(kept)
    printed = (tmp_path / "pure/report/thresholds.csv").read_bytes()
    table = {row["language"]: row for row in pa_csv.read_csv(tmp_path / "pure/report/thresholds.csv").to_pylist()}
    assert abs(table[x]["contamination"] - contamination) <= 0.02
    assert table[x]["in_force"] == table[x]["by_purity"]
    assert "Contamination" in (tmp_path / "pure/report/index.html").read_text("utf-8")
    run(tmp_path, "again", "purity")
    assert (tmp_path / "again/report/thresholds.csv").read_bytes() == printed


def run(folder: Path, name: str, at_least: Any) -> list[dict[str, Any]]:
    recipe = Recipe("stream", {"langid": {"at_least": at_least}})
    tamis.run(folder / "in.jsonl", folder / name, recipe=recipe, executor="inline")
    documents: list[dict[str, Any]] = (
        ds.dataset(sorted(map(str, (folder / name / "documents").iterdir()))).to_table().to_pylist()
    )
    return documents
