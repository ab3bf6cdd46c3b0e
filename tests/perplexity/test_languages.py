"""What a percentile must mean, in four languages and scripts: clean text inside, shuffled and foreign text outside.

Small models of 3-grams, trained here on sentences of Common Voice; documents of some lines each are asked for.
"""

import gzip
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from tamis.errors import ModelError
from tamis.perplexity import bundle
from tamis.perplexity.training import Training, train

pytest.importorskip("sentencepiece")

TEXT = Path(__file__).resolve().parents[2] / "../shared/data/text/common-voice/sentences.tsv.gz"
LANGUAGES = {"fi": "fin_Latn", "uk": "ukr_Cyrl", "ta": "tam_Taml", "ja": "jpn_Jpan"}
# Languages in the same script, or nearly the same words.
NEAR = {"fi": "et", "uk": "bg", "ta": "hi", "ja": "zh-CN"}


@pytest.fixture(scope="module")
def sentences():
    if not TEXT.is_file():
        pytest.skip(f"{TEXT} is not here")
    found = {}
    with gzip.open(TEXT, "rt", encoding="utf-8") as file:
        for line in file:
            locale, _, text = line.rstrip("\n").partition("\t")
            found.setdefault(locale, []).append(text)
    return {locale: random.Random(6).sample(found[locale], len(found[locale])) for locale in {*NEAR, *NEAR.values()}}


@pytest.fixture(scope="module")
def folders(sentences, tmp_path_factory):
    home = tmp_path_factory.mktemp("languages")
    for locale, code in LANGUAGES.items():
        train(sentences[locale][:2000], home / code, code, training=Training(order=3, prune=(0,), hold_out=0.3))
    return home


@pytest.fixture(params=LANGUAGES)
def locale(request):
    return request.param


@pytest.fixture
def held(locale, folders):
    return bundle.load(folders / LANGUAGES[locale])


def documents(lines, size=12):
    return ["\n".join(lines[start : start + size]) for start in range(0, len(lines) - size + 1, size)]


def shuffled(line, rng):
    words = line.split() if line.count(" ") > 2 else list(line)
    return ("" if line.count(" ") < 3 else " ").join(rng.sample(words, len(words)))


def places(held, texts):
    return held.percentile(held.scorer.score(texts))


def test_clean_text_lies_within_and_other_text_outside(held, locale, sentences):
    clean = sentences[locale][2000:]
    rng = random.Random(1)
    found = places(held, documents(clean))
    assert ((found > 10) & (found < 90)).mean() > 0.6 and 25 < np.median(found) < 75
    lines = places(held, clean)
    assert ((lines > 10) & (lines < 90)).mean() > 0.75
    assert np.median(places(held, documents([shuffled(line, rng) for line in clean], 24))) > 95
    for other in {*NEAR, NEAR[locale]} - {locale}:
        assert np.median(places(held, documents(sentences[other][:600]))) > 99


def test_a_swapped_tokenizer_is_refused(folders, locale, tmp_path):
    shutil.copytree(folders / LANGUAGES[locale], tmp_path / "mixed")
    other = next(code for name, code in LANGUAGES.items() if name != locale)
    shutil.copy(folders / other / "pieces.model", tmp_path / "mixed")
    with pytest.raises(ModelError, match=r"pieces\.model"):
        bundle.load(tmp_path / "mixed")


def test_any_input_gives_numbers_or_nothing(held, locale, sentences):
    first = sentences[locale][0]
    texts = ["", "\n", "\x00", "a", first[0], "\ud800", f"{first} " * 150_000, first.replace(" ", "") * 150_000, None]
    scores = held.scorer.score(texts)
    assert scores.tokens[6] > 1_000_000 and np.isnan(scores.perplexity[[0, 1, 8]]).all()
    for values in (scores.perplexity, scores.bits_per_byte, scores.bits_per_piece, held.percentile(scores)):
        assert not np.isinf(values).any() and not np.isnan(values[6:8]).any()


def test_neighbours_do_not_matter(held, locale, sentences):
    texts = [*sentences[locale][:20], "", "x" * 5000, *sentences[NEAR[locale]][:20]]
    together = held.scorer.score(texts)
    alone = [held.scorer.score([text]) for text in texts]
    for name in ("perplexity", "bits_per_byte", "bits_per_piece"):
        apart = np.concatenate([getattr(each, name) for each in alone])
        assert np.array_equal(getattr(together, name), apart, equal_nan=True)
    assert np.array_equal(
        held.percentile(together), np.concatenate([held.percentile(each) for each in alone]), equal_nan=True
    )
