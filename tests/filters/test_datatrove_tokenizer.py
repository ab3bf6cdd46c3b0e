"""The variants "datatrove" against datatrove's blocks as they come, with its own English tokenizer handed to ours."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.filters import c4_quality, fineweb_quality, gopher_quality, gopher_repetition

pytest.importorskip("datatrove")
pytest.importorskip("spacy")
from datatrove.data import Document
from datatrove.pipeline import filters
from datatrove.utils.text import split_into_sentences, split_into_words

GOLD = Path(__file__).resolve().parents[2] / "../shared/data/extraction/wceb/gold.jsonl.gz"


def words(text: str) -> list[str]:
    return split_into_words(text, "en")


def sentences(text: str) -> list[str]:
    return split_into_sentences(text, "en")


CASES = {
    "repetition": (filters.GopherRepetitionFilter, lambda: gopher_repetition(variant="datatrove", words=words)),
    "quality": (filters.GopherQualityFilter, lambda: gopher_quality(variant="datatrove", words=words)),
    "c4": (filters.C4QualityFilter, lambda: c4_quality(variant="datatrove", sentences=sentences)),
    "fineweb": (filters.FineWebQualityFilter, lambda: fineweb_quality(variant="datatrove", words=words)),
}


@cache
def texts() -> list[str]:
    if not GOLD.is_file():
        pytest.skip(f"no real pages at {GOLD}")
    with gzip.open(GOLD, "rt", encoding="utf-8") as rows:
        found = [json.loads(row)["gold"] for row in rows]
    plain = [str(each.get("main_content", "")) if isinstance(each, dict) else str(each) for each in found]
    return [text[:6000] for text in plain[::40] if text]


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_datatrove_and_its_own_tokenizer(case: str) -> None:
    block, make = CASES[case]
    expected = [block().filter(Document(text=text, id="x")) is True for text in texts()]
    rows = pa.array(range(len(texts())))
    kept = make()(pa.record_batch({"row": rows, "text": pa.array(texts(), pa.large_string())})).kept
    assert len(texts()) >= 10
    assert kept["row"].to_pylist() == [row for row, verdict in enumerate(expected) if verdict]
