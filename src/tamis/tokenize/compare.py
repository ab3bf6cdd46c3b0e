"""Compare tokenizers by language: how many tokens a word, a byte and the same content cost.

The premium is tokens per text relative to English (Petrov et al. 2023, arXiv 2305.15425). It means what it says only
where the texts of all languages are translations of each other, as in FLORES or UDHR.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tamis.errors import ConfigError, InputError, unknown
from tamis.tokenize.encode import Encoder

ENGLISH = ("eng_Latn", "eng", "en")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a language costs; words are runs without white space, `premium` is None where there is no English."""

    language: str
    texts: int
    bytes: int
    words: int
    tokens: int
    single_token_words: float  # share of words, with the space before them, that are one token
    premium: float | None = None

    @property
    def tokens_per_word(self) -> float:
        """Fertility."""
        return self.tokens / max(self.words, 1)

    @property
    def bytes_per_token(self) -> float:
        """Compression."""
        return self.bytes / max(self.tokens, 1)


def costs(encoder: Encoder, texts: Mapping[str, Sequence[str]]) -> dict[str, Cost]:
    """Return the cost of each language that has texts, in order of language."""
    found = {code: _cost(encoder, code, texts[code]) for code in sorted(texts) if texts[code]}
    base = next((found[code] for code in ENGLISH if code in found), None)
    return {code: _with_premium(cost, base) for code, cost in found.items()}


def _cost(encoder: Encoder, language: str, texts: Sequence[str]) -> Cost:
    words = [word for text in texts for word in _WORD.findall(text)]
    tokens = int(pc.sum(encoder.count(texts)).as_py())
    ones = encoder.count([f" {word}" for word in words]).to_pylist().count(1)
    size = sum(len(text.encode()) for text in texts)
    return Cost(language, len(texts), size, len(words), tokens, ones / max(len(words), 1))


def _with_premium(cost: Cost, base: Cost | None) -> Cost:
    if base is None:
        return cost
    premium = cost.tokens / cost.texts * base.texts / max(base.tokens, 1)
    return Cost(cost.language, cost.texts, cost.bytes, cost.words, cost.tokens, cost.single_token_words, premium)


def read_texts(path: Path, *, language: str = "language", text: str = "text", limit: int = 0) -> dict[str, list[str]]:
    """Return texts by language from .parquet, .jsonl or .tsv, the last two perhaps with .gz; `limit` texts each, 0 all.

    Raises InputError where the file cannot be read, ConfigError where it lacks a column.
    """
    result: dict[str, list[str]] = {}
    try:
        for row in _rows(path, language, text):
            if language not in row or text not in row:
                name = language if language not in row else text
                raise unknown("column", name, [str(key) for key in row])
            held = result.setdefault(str(row[language]), [])
            if row[text] and (not limit or len(held) < limit):
                held.append(str(row[text]))
    except ConfigError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"Cannot read {path}: {error}.", "Give a .parquet, .jsonl or .tsv file.") from error
    return result


def _rows(path: Path, language: str, text: str) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        for batch in file.iter_batches(columns=[name for name in (language, text) if name in file.schema_arrow.names]):
            yield from batch.to_pylist()
        return
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        if ".tsv" in path.suffixes:
            yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            yield from (json.loads(line) for line in file if line.strip())
