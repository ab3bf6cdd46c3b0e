"""Clean prose in many languages, from shared parallel text: every default filter keeps it alike in all of them."""

from __future__ import annotations

import gzip
import statistics
from collections import defaultdict
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.filters import (
    Chain,
    c4_quality,
    ccnet_length,
    fineweb_quality,
    gopher_quality,
    gopher_repetition,
    mc4_paragraphs,
    nemo_rules,
    refinedweb_lines,
)
from tamis.recipe import load
from tamis.text.scripts import main_scripts

TATOEBA = Path(__file__).resolve().parents[2] / "../shared/data/text/tatoeba-laser/tatoeba.tsv.gz"


def default_recipe() -> Chain:
    return Chain(*load("default").settings().filters)


# Every family that drops documents by bounds of its own, and the recipe that runs where none is named.
FAMILIES = [gopher_repetition, gopher_quality, c4_quality, fineweb_quality, refinedweb_lines, nemo_rules, ccnet_length,
            default_recipe]  # fmt: skip


@cache
def documents() -> dict[str, list[str]]:
    """Return documents of 24 sentences in four lines, by language."""
    if not TATOEBA.is_file():
        pytest.skip(f"no parallel text at {TATOEBA}")
    sentences: dict[str, list[str]] = defaultdict(list)
    with gzip.open(TATOEBA, "rt", encoding="utf-8") as rows:
        next(rows)
        for row in rows:
            code, text, *_ = row.rstrip("\n").split("\t")
            sentences[code].append(text)
    made = {}
    for code, found in sentences.items():
        distinct = list(dict.fromkeys(found))
        script = main_scripts([" ".join(distinct)])[0]
        # Han and Kana are parts of writing systems with codes of their own.
        language = {"Hani": f"{code}_Hans", "Hira": f"{code}_Jpan"}.get(script, f"{code}_{script}")
        groups = [distinct[start : start + 24] for start in range(0, len(distinct) - 23, 24)]
        if len(groups) >= 8:
            made[language] = ["\n".join(" ".join(group[n : n + 6]) for n in range(0, 24, 6)) for group in groups]
    return made


def assert_kept_alike(chain: Chain, by_language: dict[str, list[str]]) -> None:
    rates = {}
    for language, texts in by_language.items():
        batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": [language] * len(texts)})
        rates[language] = chain(batch).kept.num_rows / len(texts)
    mean = statistics.mean(rates.values())
    assert len(rates) >= 40
    assert {language: rate for language, rate in rates.items() if abs(rate - mean) > 0.1} == {}
    assert mean > 0.95


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_clean_prose_is_kept_alike_in_every_language(family) -> None:
    assert_kept_alike(family(), documents())


def test_paragraphs_are_kept_alike_in_every_language() -> None:
    """Lines of 24 sentences: mC4 asks for three lines of 200 letters."""
    long = {
        language: ["\n".join(text.replace("\n", " ") for text in texts[n : n + 4]) for n in range(0, len(texts) - 3, 4)]
        for language, texts in documents().items()
    }
    assert_kept_alike(mc4_paragraphs(), long)
