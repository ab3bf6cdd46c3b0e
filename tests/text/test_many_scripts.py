"""Over thirty scripts, sentence by sentence: words have letters, and where a sentence ends is seen.

`sentences.tsv` holds 20 of the shorter paragraphs of the articles of the Universal Declaration of Human Rights, as they
are published, flaws included, for one language of each script.
"""

from __future__ import annotations

import csv
import unicodedata
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tamis.text.lines import ENDED, FLAGS
from tamis.text.measure import measure
from tamis.text.stopwords import stop_tables
from tamis.text.words import words

TABLE = Path(__file__).with_name("sentences.tsv")
NONE = stop_tables({})


@cache
def sentences() -> dict[str, list[str]]:
    """Return 20 sentences by script."""
    found: dict[str, list[str]] = defaultdict(list)
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            found[row["script"]].append(row["sentence"])
    return found


SCRIPTS = sorted(sentences())


def letters_and_marks(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c)[0] in "LM"]


def test_there_are_enough_scripts() -> None:
    assert len(SCRIPTS) >= 25
    assert {len(found) for found in sentences().values()} == {20}
    assert set(SCRIPTS) >= {"Arab", "Beng", "Deva", "Ethi", "Hans", "Hebr", "Jpan", "Khmr", "Mymr", "Taml", "Thai"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_hundred_clean_words_are_letters(script: str) -> None:
    clean = list(dict.fromkeys(word for text in sentences()[script] for word in words(text)))[:100]
    assert len(clean) == 100
    counts = measure(clean, NONE)
    assert counts["lettered_words"].sum() >= 0.99 * counts["words"].sum() >= 99


@pytest.mark.parametrize("script", SCRIPTS)
def test_words_keep_every_letter_and_mark(script: str) -> None:
    for text in sentences()[script]:
        assert letters_and_marks("".join(words(text))) == letters_and_marks(text)


@pytest.mark.parametrize("script", SCRIPTS)
def test_where_a_sentence_ends_is_seen(script: str) -> None:
    records = measure(sentences()[script], NONE).lines.records
    assert len(records) == 20
    assert ((records[:, FLAGS] & ENDED) != 0).mean() >= 0.95


def test_a_title_ends_no_sentence() -> None:
    titles = [words(found[0])[0] for found in sentences().values()]
    records = measure(titles, NONE).lines.records
    assert not (records[:, FLAGS] & ENDED).any()
