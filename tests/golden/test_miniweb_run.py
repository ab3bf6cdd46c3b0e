"""The demo as a golden test: every page of the mini web ends as its sidecar says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import tamis
from tamis.demo import blocklist
from tamis.pipeline.run import Report

# What a sidecar calls a family, and the reasons that belong to it. `quality` is any judgement of a filter.
FAMILIES = {
    "url": {"blocked_domain"},
    "http_status": {"http_status"},
    "mime": {"binary", "not_html", "too_small"},
    "empty": {"empty", "no_body", "too_small", "word_count"},
    "too_short": {"word_count", "sentence_count", "too_small"},
    "exact_duplicate": {"exact_duplicate"},
    "near_duplicate": {"near_duplicate", "exact_duplicate"},
    "lorem_ipsum": {"lorem_ipsum"},
    "curly_bracket": {"curly_bracket"},
    "language": {"language", "not_language", "language_score"},
}
FILTERS = ("gopher_repetition", "gopher_quality", "c4_quality", "fineweb_quality")


@pytest.fixture(scope="module")
def output(miniweb: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    folder = tmp_path_factory.mktemp("golden") / "out"
    overrides = {"url.domains": str(blocklist())}
    return folder, tamis.run(miniweb, folder, executor="inline", overrides=overrides)


@pytest.fixture(scope="module")
def fates(output: tuple[Path, Report]) -> dict[str, dict[str, Any]]:
    """What became of each URL."""
    folder, _ = output
    kept = ds.dataset(sorted(str(path) for path in (folder / "documents").iterdir())).to_table().to_pylist()
    dropped = pa.concat_tables([pq.read_table(path) for path in sorted((folder / "dropped").iterdir())]).to_pylist()
    return {row["url"]: row | {"step": None} for row in kept} | {row["url"]: row for row in dropped}


def fits(page: dict[str, Any], fate: dict[str, Any]) -> bool:
    if page["expect"] == "any":
        return True
    if page["expect"] == "kept":
        return fate["step"] is None and fate["language"] in {page["language"], *page.get("or_languages", [])}
    families = {page["reason"], *page.get("or_reasons", [])}
    if fate["step"] in FILTERS and families & {"quality", "repetition", "too_short"}:
        return True
    return any(fate.get("reason") in FAMILIES.get(family, ()) for family in families)


def test_every_page_ends_as_its_sidecar_says(sidecars: dict[str, Any], fates: dict[str, Any]) -> None:
    assert sidecars.keys() == fates.keys()
    wrong = [
        f"{url}: {page['expect']} {page['reason']} ({page['language']}) but {fate['step']} "
        f"{fate.get('reason')} ({fate['language']}, {fate.get('value')} against {fate.get('threshold')})"
        for url, page in sidecars.items()
        if not fits(page, fate := fates[url])
    ]
    assert wrong == []


def test_duplicates_name_the_page_kept_instead(sidecars: dict[str, Any], fates: dict[str, Any]) -> None:
    ids = {fate["id"]: url for url, fate in fates.items()}
    for url, page in sidecars.items():
        if page["duplicate_of"]:
            fate = fates[url]
            assert ids[fate["kept_id"]] == page["duplicate_of"], url
            assert fate["similarity"] >= 0.8


def test_main_text_is_found(sidecars: dict[str, Any], fates: dict[str, Any]) -> None:
    for url, page in sidecars.items():
        if fates[url]["step"] is None and page["expect"] == "kept":
            first = max(page["main_text"].split("\n"), key=len)[:60]
            assert first in fates[url]["text"], url


def test_every_language_has_tokens(output: tuple[Path, Report], sidecars: dict[str, Any]) -> None:
    _, report = output
    expected = {page["language"] for page in sidecars.values() if page["expect"] == "kept"} - {"und"}
    found = set(report.ledger.languages("tokenize"))
    assert len(expected) >= 24
    assert expected <= found


def test_every_drop_is_listed_and_priced(output: tuple[Path, Report]) -> None:
    folder, report = output
    listed = pa.concat_tables([pq.read_table(path) for path in sorted((folder / "dropped").iterdir())])
    for step in {row["step"] for row in listed.select(["step"]).to_pylist()}:
        rows = listed.filter(pc.equal(listed["step"], step))
        booked = [amount for at, _, reason, amount in report.ledger.reasons() if at == step and "record_" not in reason]
        assert rows.num_rows == sum(amount.documents for amount in booked)
        whole = sum(amount.tokens for amount in booked if amount.documents)
        assert pc.sum(rows["tokens"]).as_py() == whole


def test_the_documents_are_what_the_ledger_says(output: tuple[Path, Report]) -> None:
    folder, report = output
    table = ds.dataset(sorted(str(path) for path in (folder / "documents").iterdir())).to_table()
    total = report.ledger.total("tokenize", "kept")
    assert (table.num_rows, pc.sum(table["tokens"]).as_py()) == (total.documents, total.tokens)
    assert pc.sum(pc.binary_length(table["text"])).as_py() == total.bytes
    assert len(set(table["id"].to_pylist())) == table.num_rows
