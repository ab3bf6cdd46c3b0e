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

TEXT = Path(__file__).resolve().parents[2] / "../shared/data/text"
TATOEBA = TEXT / "tatoeba-laser/tatoeba.tsv.gz"
BIBLE = TEXT / "bible-corpus/verses.tsv.gz"
DECLARATION = TEXT / "udhr/udhr.tsv.gz"


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


@cache
def rows_of(path: Path, language: int, script: int, text: int) -> dict[str, list[str]]:
    """Return the distinct texts of a table by language, in order."""
    if not path.is_file():
        pytest.skip(f"no parallel text at {path}")
    found: dict[str, list[str]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        next(rows)
        for row in rows:
            cells = row.rstrip("\n").split("\t")
            found[cells[language] + (f"_{cells[script]}" if script >= 0 else "")].append(cells[text])
    return {code: list(dict.fromkeys(texts)) for code, texts in found.items()}


def verses() -> dict[str, list[str]]:
    """Return documents of twelve verses, one a line. Left out: two translations that are printed without full stops."""
    made = {}
    for code, texts in rows_of(BIBLE, 0, -1, 3).items():
        if code not in ("gla", "syr"):
            groups = ["\n".join(texts[start : start + 12]) for start in range(0, len(texts) - 11, 12)][:60]
            made[f"{code}_{main_scripts([' '.join(texts)])[0]}"] = groups
    return made


def articles() -> dict[str, list[str]]:
    """Return documents of fourteen paragraphs of the Universal Declaration, one beginning at each paragraph.

    Left out: languages with several translations, such as Greek in two spellings, and those with parts of one.
    """
    whole = {code: texts for code, texts in rows_of(DECLARATION, 1, 2, 4).items() if 40 <= len(texts) < 60}
    return {
        code: ["\n".join(texts[start : start + 14]) for start in range(len(texts) - 13)]
        for code, texts in whole.items()
    }


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


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_verses_are_kept_alike_in_every_language(family) -> None:
    assert_kept_alike(family(), verses())


def test_the_declaration_is_kept_alike_in_every_language() -> None:
    """By rules on words alone: its headings and preamble are lines without an end, more of them in some translations,
    and its articles begin alike, which in some is a repetition."""
    assert_kept_alike(gopher_quality(), articles())
