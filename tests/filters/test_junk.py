"""Ten classes of junk made from clean text of many languages: the default filters reject each alike in all of them."""

from __future__ import annotations

import gzip
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pytest

from tamis.filters import Chain, c4_quality, fineweb_quality, gopher_quality, gopher_repetition, nemo_rules
from tamis.recipe import load
from tamis.text.scripts import main_scripts
from tamis.text.words import words

TATOEBA = Path(__file__).resolve().parents[2] / "../shared/data/text/tatoeba-laser/tatoeba.tsv.gz"
DOCUMENTS = 12

Make = Callable[[random.Random, list[str], list[str]], str]

JUNK: dict[str, Make] = {
    "repeated line": lambda pick, sentences, lexicon: "\n".join([" ".join(sentences[:4])] * 12),
    "repeated paragraph": lambda pick, sentences, lexicon: "\n\n".join(["\n".join(sentences[:6])] * 6),
    "repeated phrase": lambda pick, sentences, lexicon: " ".join([" ".join(lexicon[:5])] * 60),
    "link farm": lambda pick, sentences, lexicon: "\n".join(pick.choice(lexicon) for _ in range(120)),
    "lorem ipsum": lambda pick, sentences, lexicon: "\n".join([*sentences[:20], "Lorem ipsum dolor sit amet, elit."]),
    "keyword stuffing": lambda pick, sentences, lexicon: ", ".join([lexicon[0], lexicon[1]] * 80),
    "menu of bullets": lambda pick, sentences, lexicon: "\n".join(f"- {pick.choice(lexicon)}" for _ in range(90)),
    "teasers": lambda pick, sentences, lexicon: "\n".join(f"{each[:-1]}..." for each in sentences[:40]),
    "symbols": lambda pick, sentences, lexicon: " ".join(f"{pick.choice(lexicon)} # % {n}" for n in range(120)),
    "too short": lambda pick, sentences, lexicon: sentences[0],
}


@cache
def languages() -> dict[str, tuple[list[str], list[str]]]:
    """Return distinct sentences and distinct words by language."""
    if not TATOEBA.is_file():
        pytest.skip(f"no parallel text at {TATOEBA}")
    found: dict[str, list[str]] = defaultdict(list)
    with gzip.open(TATOEBA, "rt", encoding="utf-8") as rows:
        next(rows)
        for row in rows:
            code, text, *_ = row.rstrip("\n").split("\t")
            found[code].append(text)
    made = {}
    for code, texts in found.items():
        sentences = list(dict.fromkeys(texts))
        if len(sentences) >= 200:
            script = main_scripts([" ".join(sentences)])[0]
            # Han and Kana are parts of writing systems with codes of their own.
            language = {"Hani": f"{code}_Hans", "Hira": f"{code}_Jpan"}.get(script, f"{code}_{script}")
            made[language] = sentences, sorted(set(words("\n".join(sentences))))
    return made


def families() -> Chain:
    return Chain(gopher_repetition(), gopher_quality(), c4_quality(ended_lines=False), fineweb_quality())


def default_recipe() -> Chain:
    return Chain(*load("default").settings().filters)


@pytest.mark.parametrize("chain", [families, default_recipe, nemo_rules], ids=lambda chain: chain.__name__)
@pytest.mark.parametrize("kind", JUNK)
def test_junk_is_rejected_alike_in_every_language(kind: str, chain: Callable[[], Chain]) -> None:
    texts, codes = [], []
    for language, (sentences, lexicon) in languages().items():
        for seed in range(DOCUMENTS):
            pick = random.Random(seed)
            texts.append(JUNK[kind](pick, pick.sample(sentences, 60), pick.sample(lexicon, 40)))
            codes.append(language)
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string()), "language": codes})
    dropped = Counter(chain()(batch).dropped["language"].to_pylist())
    rates = {language: dropped[language] / DOCUMENTS for language in languages()}
    mean = statistics.mean(rates.values())
    assert len(rates) >= 40
    assert {language: rate for language, rate in rates.items() if abs(rate - mean) > 0.1} == {}
    assert mean > 0.95
