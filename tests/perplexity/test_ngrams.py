"""N-gram models: read from ARPA, kept in a file, and scored as KenLM scores them."""

import random
from pathlib import Path

import numpy as np
import pytest

from tamis.errors import ModelError
from tamis.perplexity import arpa
from tamis.perplexity.ngrams import open_model

MODELS = Path(__file__).resolve().parents[2] / "../shared/data/models/kenlm"
NAMES = ["bugs_bunny", "test", "test_nounk", "toy0", "toy1"]
SMALL = """\\data\\
ngram 1=5
ngram 2=2
ngram 3=1

\\1-grams:
-1\t<unk>
-99\t<s>\t-0.25
-1.5\t</s>
-0.5\ta\t-0.125
-0.75\tb\t-0.5

\\2-grams:
-0.25\t<s> a\t-0.375
-0.125\ta b

\\3-grams:
-0.0625\ta b b

\\end\\
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.arpa"
    path.write_text(SMALL, encoding="utf-8")
    return arpa.read(path)


def test_scores_by_hand(small):
    # <s> a: -0.25; </s> after a: back-off of "<s> a" and of "a", then the unigram.
    assert small.score("a") == pytest.approx(-0.25 - 0.375 - 0.125 - 1.5)
    assert small.score("") == pytest.approx(-0.25 - 1.5)
    assert small.score("what") == pytest.approx(-0.25 - 1 - 1.5)


def test_longer_ngrams_need_no_shorter_ones(small):
    # "b b" is not in the file, "a b b" is: found through what backing off gives "b b".
    assert small.score("a b b") == pytest.approx(-0.25 - 0.375 - 0.125 - 0.0625 - 0.5 - 1.5)


def test_a_file_gives_the_model_back(small, tmp_path):
    small.save(tmp_path / "ngrams.bin")
    again = open_model(tmp_path / "ngrams.bin")
    assert again.words == small.words and again.order == 3
    assert again.score("a b b") == small.score("a b b")


def test_damage_is_an_error(small, tmp_path):
    small.save(tmp_path / "ngrams.bin")
    whole = (tmp_path / "ngrams.bin").read_bytes()
    for damaged in (whole[: len(whole) // 2], b"x" + whole[1:], b""):
        (tmp_path / "bad").write_bytes(damaged)
        with pytest.raises(ModelError):
            open_model(tmp_path / "bad")
    (tmp_path / "bad.arpa").write_text(SMALL.replace("-0.75", "minus"), encoding="utf-8")
    with pytest.raises(ModelError, match="line 11"):
        arpa.read(tmp_path / "bad.arpa")


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_kenlm(name):
    kenlm = pytest.importorskip("kenlm")
    path = MODELS / f"{name}.arpa"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    ours, theirs = arpa.read(path), kenlm.Model(str(path))
    rng = random.Random(6)
    words = [word for word in ours.words if word not in ("<s>", "</s>")] + ["never-seen"]
    sentences = [" ".join(rng.choices(words, k=rng.randrange(9))) for _ in range(500)]
    sentences += ["looking on a little more loin", "also would consider higher looking", "<unk> however <unk>"]
    for sentence in sentences:
        assert ours.score(sentence) == pytest.approx(theirs.score(sentence), abs=1e-4)


def test_arpa_written_is_arpa_read(tmp_path):
    grams = [np.array([[0], [1], [2], [3]], np.int32), np.array([[1, 3], [3, 2]], np.int32)]
    pairs = [
        np.array([[-1, 0], [-99, -0.5], [-1, 0], [-0.3, -0.2]], np.float32),
        np.array([[-0.1, 0], [-0.2, 0]], np.float32),
    ]
    arpa.write(tmp_path / "m.arpa.gz", ["<unk>", "<s>", "</s>", "\u00a0piece"], list(zip(grams, pairs, strict=True)))
    assert arpa.read(tmp_path / "m.arpa.gz").score("x") == pytest.approx(-0.5 - 1 - 1, abs=1e-6)
