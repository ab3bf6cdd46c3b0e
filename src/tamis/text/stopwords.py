"""Stop words by language, as tables that a kernel can ask: is this word's hash one of them?

`data/stopwords.tsv` holds for each language its most frequent words, derived from parallel and read-aloud text by
`tamis.filters.derive`. A language without a row has no table, and no rule about stop words binds it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text, text_buffers
from tamis.text import unicode as u
from tamis.text.inline import inlined
from tamis.text.kernel import kernel
from tamis.text.words import next_word, read_word

# Slots of one language's hash table: at least twice as many as any language has words, and a power of two.
SLOTS = 256


@dataclass(frozen=True, slots=True)
class StopTables:
    """Hash tables, one of SLOTS keys for each language; `languages` are in order. `every` serves every language."""

    languages: tuple[str, ...]
    keys: npt.NDArray[np.uint64]
    every: bool = False

    def rows(self, languages: pa.Array | None, rows: int) -> npt.NDArray[np.int64]:
        """Return which table each row asks, shape (rows,), -1 for none."""
        if self.every:
            return np.zeros(rows, np.int64)
        if languages is None:
            return np.full(rows, -1, np.int64)
        encoded = languages.dictionary_encode()
        places = {code: place for place, code in enumerate(self.languages)}
        known = np.array([places.get(code, -1) for code in encoded.dictionary.to_pylist()] + [-1], np.int64)
        found: npt.NDArray[np.int64] = known[encoded.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)]
        return found


@cache
def stop_words() -> Mapping[str, tuple[str, ...]]:
    """Return the stop words of every language that has a table, most frequent first."""
    return {row["language"]: tuple(row["words"].split(" ")) for row in _rows()}


@cache
def wanted_stop_words() -> Mapping[str, float]:
    """Return how many distinct stop words a document of each language with a table has at least: 2, or 1.

    The number keeps 98 % of the 50-word passages of reference text that the table was not made from.
    """
    return {row["language"]: float(row["at_least"]) for row in _rows()}


@cache
def default_tables() -> StopTables:
    """Return the tables of every language in `stopwords.tsv`."""
    return stop_tables(stop_words())


def stop_tables(words: Mapping[str, Sequence[str]]) -> StopTables:
    """Return tables of given words by language."""
    keys = np.zeros(max(len(words), 1) * SLOTS, np.uint64)
    for place, code in enumerate(words):
        _insert(keys, place, hash_words(list(words[code])[: SLOTS // 2]))
    return StopTables(tuple(words), keys)


def hash_words(words: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Return the hash of the first word in each string, shape (n,), as `words.read_word` gives it."""
    offsets, data = text_buffers(as_text(words))
    hashes = np.zeros(len(words), np.uint64)
    _hash_firsts(offsets, data, u.table(), hashes)
    return hashes


def _rows() -> list[dict[str, str]]:
    text = resources.files("tamis.text").joinpath("data", "stopwords.tsv").read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


@inlined
def find_stop_word(keys: Any, language: Any, value: Any) -> Any:
    """Return the slot of a word's hash in a language's table, or -1."""
    start, place, found = language * SLOTS, np.int64(value & np.uint64(SLOTS - 1)), np.int64(-1)
    while keys[start + place] != 0:
        if keys[start + place] == value:
            found = start + place
            break
        place = (place + 1) & (SLOTS - 1)
    return found


@kernel
def _insert(keys: Any, language: Any, hashes: Any) -> Any:
    for value in hashes:
        place = np.int64(value & np.uint64(SLOTS - 1))
        start = language * SLOTS
        while keys[start + place] != 0 and keys[start + place] != value:
            place = (place + 1) & (SLOTS - 1)
        keys[start + place] = value


@kernel
def _hash_firsts(offsets: Any, data: Any, table: Any, hashes: Any) -> Any:
    for row in range(len(offsets) - 1):
        at = next_word(data, offsets[row], offsets[row + 1], table)
        if at < offsets[row + 1]:
            _, hashes[row], _, _ = read_word(data, at, offsets[row + 1], table)
