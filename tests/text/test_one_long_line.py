"""Five megabytes in one line, in scripts with and without spaces: linear time, and values those of its slices."""

from __future__ import annotations

import csv
import random
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tamis.text.lines import SENTENCES
from tamis.text.measure import Measured, measure
from tamis.text.stopwords import default_tables
from tamis.text.words import words

TABLE = Path(__file__).with_name("sentences.tsv")
MEGABYTE = 1 << 20
SLICE = 40_000
LANGUAGES = ["jpn_Jpan", "tha_Thai", "khm_Khmr", "cmn_Hans", "eng_Latn"]


@cache
def sentences(language: str, size: int) -> list[str]:
    """Return at least `size` bytes of sentences in random order, each with its number, so that no long run repeats."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        found = [row["sentence"] for row in rows if row["language"] == language]
    pick, made, length = random.Random(language), [], 0
    gap = "" if language in ("jpn_Jpan", "cmn_Hans") else " "
    while length < size:
        made.append(f"{len(made)}{gap}{pick.choice(found)}{gap}")
        length += len(made[-1].encode())
    return made


def text_of(language: str, size: int) -> str:
    return "".join(sentences(language, size))


def slices(text: str) -> list[str]:
    """Cut a text every 40 kB, within words and sentences as it falls, never within a character."""
    data = text.encode()
    cuts = [0]
    while cuts[-1] < len(data):
        end = min(cuts[-1] + SLICE, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        cuts.append(end)
    return [data[start:end].decode() for start, end in pairwise(cuts)]


def seconds(*texts: str) -> list[float]:
    """Return the processor time of each, the best of five taken in turn: neighbours slow single ones."""
    taken: list[list[float]] = [[] for _ in texts]
    for _ in range(5):
        for text, of in zip(texts, taken, strict=True):
            begun = time.process_time()
            measure([text], default_tables())
            of.append(time.process_time() - begun)
    return [min(of) for of in taken]


def values(measured: Measured, size: int) -> dict[str, float]:
    """Return what the rules read, by byte or by word.

    Shares of repeated runs are left out: they grow with length by their definition.
    """
    total = {name: float(measured[name].sum()) for name in ("words", "lettered_words", "worth", "symbol_tokens")}
    return {
        "words by byte": total["words"] / size,
        "lettered share": total["lettered_words"] / (total["words"] + total["symbol_tokens"]),
        "mean word": total["worth"] / total["words"],
        "sentences by word": float(measured.lines.records[:, SENTENCES].sum()) / total["words"],
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_five_megabytes_read_as_their_slices_do(language: str) -> None:
    text = text_of(language, 5 * MEGABYTE)
    measure(["a"], default_tables())
    begun = time.process_time()
    whole = measure([text], default_tables())
    assert time.process_time() - begun < 5
    assert len(whole.lines.records) == 1
    size = len(text.encode())
    expected = values(measure(slices(text), default_tables()), size)
    assert values(whole, size) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("language", LANGUAGES)
def test_twice_the_line_takes_twice_the_time(language: str) -> None:
    """Runs of words are counted too: their tables must not outgrow the cache with the text."""
    measure(["a"], default_tables())
    once, twice = seconds(text_of(language, 5 * MEGABYTE), text_of(language, 10 * MEGABYTE))
    assert twice < 2.3 * once


def test_words_of_a_long_line_are_those_of_its_sentences() -> None:
    parts = sentences("jpn_Jpan", 100_000)
    found = [word for part in parts for word in words(part)]
    assert words("".join(parts)) == found
    assert np.mean([len(word) for word in found]) < 6
