"""datatrove's side: the blocks of its FineWeb example but the URL filter, one after the other in this process.

Arguments: WARC, output, fastText model, warm-up WARC.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import clock
import fasttext
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.text import split_into_words


class Counted:
    """Counts the documents that pass."""

    kept = 0

    def __call__(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        for document in data:
            self.kept += 1
            yield document


def language_filter(model: str) -> LanguageFilter:
    """Return the filter with a local model: its own is downloaded, and its predict breaks on strings under NumPy 2."""
    language = LanguageFilter()
    loaded = fasttext.FastText._FastText(model)
    many = loaded.predict
    loaded.predict = lambda text, k: [each[0] for each in many([text], k=k)]
    language.model._model = loaded
    return language


def chain(warc: str, output: str, language: LanguageFilter) -> tuple[int, int]:
    """Run the chain over a WARC; returns how many pages it read and how many documents it wrote."""
    folder, _, name = warc.rpartition("/")
    reader, counted = WarcReader(folder, glob_pattern=name), Counted()
    steps = [
        Trafilatura(favour_precision=True),
        language,
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
        counted,
        JsonlWriter(output),
    ]
    data = reader.run(None, 0, 1)
    for step in steps:
        data = step(data, 0, 1)
    for _ in data:
        pass
    return int(reader.stats["documents"].total), counted.kept


def main(warc: str, output: str, model: str, small: str) -> None:
    split_into_words("The word tokenizer is loaded before the clock starts.")
    language = language_filter(model)
    chain(small, f"{output}-warm", language)
    before, started = clock.cpu(), time.perf_counter()
    pages, kept = chain(warc, output, language)
    seconds, used = time.perf_counter() - started, clock.cpu() - before
    clock.report(pages, kept, seconds, used)


if __name__ == "__main__":
    main(*sys.argv[1:])
