"""Gopher repetition, Gopher quality, C4 and FineWeb beside datatrove's four blocks, on one core, in one run.

    python -P benchmarks/filters.py [--seconds 5] [--tokenizer own|nltk]

Text is held in Arrow (ours) or in `Document` objects (datatrove's). datatrove splits words and sentences with its own
English tokenizer (spaCy), or with NLTK's rules for words, which are faster. Times are of the process, not of the
wall, so that a busy machine says the same. Without the shared pages, text is generated.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from tamis.columns import cut
from tamis.filters import c4_quality, fineweb_quality, gopher_quality, gopher_repetition, sift

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# Languages by script, and what Tatoeba calls them.
SAMPLES = {
    "rus_Cyrl": "rus", "arb_Arab": "ara", "hin_Deva": "hin", "cmn_Hans": "cmn", "jpn_Jpan": "jpn", "tha_Thai": "tha",
    "kor_Hang": "kor", "ell_Grek": "ell",
}  # fmt: skip


def pages() -> list[str]:
    """Return the main texts of the real pages that are in English, or generated text."""
    texts = []
    for name in ("wceb", "aeb", "trafilatura"):
        path = DATA / "extraction" / name / "gold.jsonl.gz"
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as rows:
                texts += [plain(json.loads(row)["gold"]) for row in rows]
    return [text for text in texts if text] or [generated(seed) for seed in range(500)]


def plain(value: object) -> str:
    if isinstance(value, dict):
        return plain(next((value[key] for key in ("main_content", "articleBody", "with") if key in value), ""))
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")


def generated(seed: int) -> str:
    pick = random.Random(seed)
    lexicon = ["".join(pick.choices("etaoinshrdlu", k=pick.randint(2, 9))) for _ in range(400)]
    return "\n".join(" ".join(pick.choices(lexicon, k=40)) + "." for _ in range(30))


def by_language() -> dict[str, list[str]]:
    """Return documents of sentences in eight scripts; empty without the shared text."""
    path = DATA / "text" / "tatoeba-laser" / "tatoeba.tsv.gz"
    if not path.is_file():
        return {}
    sentences: dict[str, list[str]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in rows:
            code, text, *_ = row.rstrip("\n").split("\t")
            sentences.setdefault(code, []).append(text)
    return {language: documents(sentences.get(code, [])) for language, code in SAMPLES.items()}


def documents(sentences: list[str]) -> list[str]:
    """Return documents of about a hundred sentences, drawn without order, enough of them to time."""
    pick = random.Random(3)
    if not sentences:
        return []
    return ["\n".join(" ".join(pick.choices(sentences, k=6)) for _ in range(16)) for _ in range(600)]


def batch_of(texts: list[str], language: str) -> pa.RecordBatch:
    languages = pa.array([language] * len(texts), pa.large_string())
    return pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": languages})


def seconds_per_megabyte(run: Callable[[], int], budget: float) -> float:
    """Return the best time of `run`, which returns the bytes it read, within a budget of process time."""
    run()
    best, begun = float("inf"), time.process_time()
    while time.process_time() - begun < budget:
        started = time.process_time()
        size = run()
        best = min(best, (time.process_time() - started) / (size / 1e6))
    return best


def ours(texts: list[str], language: str) -> Callable[[], int]:
    chains = [gopher_repetition(), gopher_quality(), c4_quality(), fineweb_quality()]
    batch = batch_of(texts, language)
    size = sum(len(text.encode()) for text in texts)

    def run() -> int:
        for part in cut(batch):
            sift(chains, part)
        return size

    return run


def theirs(texts: list[str], tokenizer: str) -> Callable[[], int]:
    from datatrove.data import Document
    from datatrove.pipeline import filters
    from datatrove.pipeline.filters import c4_filters, fineweb_quality_filter, gopher_quality_filter
    from datatrove.pipeline.filters import gopher_repetition_filter as repetition

    if tokenizer == "nltk":
        from nltk.tokenize import NLTKWordTokenizer

        split = NLTKWordTokenizer().tokenize
        for module in (gopher_quality_filter, repetition, fineweb_quality_filter):
            module.split_into_words = lambda text, language: split(text)
        c4_filters.split_into_sentences = lambda text, language: text.split(". ")
    blocks = [filters.GopherRepetitionFilter(), filters.GopherQualityFilter(), filters.C4QualityFilter(),
              filters.FineWebQualityFilter()]  # fmt: skip

    def run() -> int:
        for number, text in enumerate(texts):
            document = Document(text=text, id=str(number))
            all(block.filter(document) is True for block in blocks)
        return sum(len(text.encode()) for text in texts)

    return run


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=5.0)
    arguments.add_argument("--tokenizer", choices=("own", "nltk"), default="own", help="datatrove's, or NLTK's rules")
    given = arguments.parse_args()
    budget = given.seconds
    texts = pages()
    size = sum(len(text.encode()) for text in texts) / 1e6
    mine = seconds_per_megabyte(ours(texts, "eng_Latn"), budget)
    print(f"{len(texts)} texts, {size:.1f} MB\ntamis      {1 / mine:8.2f} MB/s")
    try:
        other = seconds_per_megabyte(theirs(texts[::8], given.tokenizer), budget)
        print(f"datatrove  {1 / other:8.3f} MB/s (tokenizer: {given.tokenizer})\nratio      {other / mine:8.0f}")
    except ImportError as error:
        print(f"datatrove  not installed ({error})")
    print(f"{'English':10} {mine * 1e3:8.1f} ms/MB  (the pages above; the others are documents of Tatoeba sentences)")
    for name, made in by_language().items():
        if made:
            each = seconds_per_megabyte(ours(made, name), budget / 4) * 1e3
            print(f"{name:10} {each:8.1f} ms/MB  {mine * 1e3 / each:5.2f} of English's speed")


if __name__ == "__main__":
    main()
