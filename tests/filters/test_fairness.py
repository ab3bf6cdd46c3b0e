"""Clean prose in many languages, from shared parallel text: every default filter keeps it alike in all of them."""

from __future__ import annotations

import gzip
import statistics
from collections import defaultdict
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.filters import c4_quality, fineweb_quality, gopher_quality, gopher_repetition, refinedweb_lines
from tamis.text.scripts import main_scripts

TATOEBA = Path(__file__).resolve().parents[2] / "../shared/data/text/tatoeba-laser/tatoeba.tsv.gz"
FAMILIES = [gopher_repetition, gopher_quality, c4_quality, fineweb_quality, refinedweb_lines]


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


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_clean_prose_is_kept_alike_in_every_language(family) -> None:
    rates = {}
    for language, texts in documents().items():
        batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": [language] * len(texts)})
        rates[language] = family()(batch).kept.num_rows / len(texts)
    mean = statistics.mean(rates.values())
    assert len(rates) >= 40
    assert {language: rate for language, rate in rates.items() if abs(rate - mean) > 0.1} == {}
    assert mean > 0.95
