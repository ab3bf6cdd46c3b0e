"""A bundle end to end: trained, sealed, refused when altered, and scored line by line as the libraries would."""

import json
import random
import shutil

import numpy as np
import pytest

from tamis.errors import InputError, ModelError, OutputError
from tamis.perplexity import bundle
from tamis.perplexity.normalise import Normaliser
from tamis.perplexity.reference import VARIANTS
from tamis.perplexity.training import Training, train

pytest.importorskip("sentencepiece")

SYLLABLES = ["ka", "to", "mi", "ren", "sol", "vé", "nu", "ша", "กา", "語"]
ODD = [
    "", " ", "\n\n", "\x00", "a", "\ud800 lone", None, "ﷺ ofﬁce １２ ① Ⅻ", "Σας ΣΑΣ İ a\u0301\u0315", "\u3000x\u00a0 ",
    "각 한국어", "kato\n\nmiren sol\x00vé", "\ufeff\u200bkato", "𝅗𝅥 𝟘 \U000e0100",
]  # fmt: skip


def sentences(count, seed=6):
    rng = random.Random(seed)
    words = ["".join(rng.choices(SYLLABLES, k=rng.randrange(1, 4))) for _ in range(150)]
    follow = {word: rng.sample(words, 4) for word in words}
    for _ in range(count):
        word = rng.choice(words)
        line = [word]
        for _ in range(rng.randrange(6, 20)):
            word = rng.choice(follow[word])
            line.append(word)
        yield " ".join(line).capitalize() + "."


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("lm") / "swh.lm"
    train(sentences(1500), path, "swh_Latn", training=Training(pieces=300), with_arpa=True)
    return path


def by_libraries(folder, text):
    """CCNet's perplexity, with SentencePiece and KenLM themselves."""
    kenlm, spm = pytest.importorskip("kenlm"), pytest.importorskip("sentencepiece")
    pieces = spm.SentencePieceProcessor(model_file=str(folder / "pieces.model"))
    model = kenlm.Model(str(folder / "ngrams.arpa.gz"))
    total = length = found = 0
    for line in text.split("\n"):
        cut = pieces.encode(Normaliser().plain(line), out_type=str)
        total += model.score(" ".join(cut))
        length += len(cut) + 1
        found += len(cut)
    return 10 ** (-total / length) if found else np.nan


def test_scores_are_those_of_the_libraries(folder):
    texts = [*sentences(50, seed=7), "\n".join(sentences(5, seed=8)), *(t for t in ODD if t is not None)]
    found = bundle.load(folder).scorer.score(texts).perplexity
    plain = [by_libraries(folder, text.replace("\ud800", "\ufffd")) for text in texts]
    assert found == pytest.approx(np.array(plain), rel=1e-4, nan_ok=True)


def test_odd_input_is_finite_or_null_and_neighbours_do_not_matter(folder):
    scorer = bundle.load(folder).scorer
    texts = [*ODD, "kato " * 200_000, "kato" * 200_000]
    together = scorer.score(texts)
    for values in (together.perplexity, together.bits_per_byte):
        assert not np.isinf(values).any()
    alone = np.concatenate([scorer.score([text]).perplexity for text in texts])
    assert np.array_equal(together.perplexity, alone, equal_nan=True)
    assert np.isnan(together.perplexity[[0, 1, 2, 3, 6]]).all() and together.perplexity[4] > 0


def test_short_documents_abstain(folder):
    scores = bundle.load(folder).scorer.score(["ka", "kato miren sol vé nu kato"], min_tokens=4)
    assert np.isnan(scores.perplexity[0]) and np.isnan(scores.bits_per_byte[0]) and scores.perplexity[1] > 1


def test_clean_text_lies_within_and_shuffled_text_above(folder):
    held = bundle.load(folder)
    rng = random.Random(1)
    # Another seed has other words, so clean text of this language is that of the first seed, further on.
    clean = list(sentences(1900))[1500:]
    shuffled = [" ".join(rng.sample(line.split(), len(line.split()))) for line in clean]
    for variant in VARIANTS:
        places = held.percentile(held.scorer.score(clean), variant)
        assert 40 < np.median(places) < 60
        assert np.median(held.percentile(held.scorer.score(shuffled), variant)) > 95


def test_training_is_deterministic_whatever_the_memory(folder, tmp_path):
    train(sentences(1500), tmp_path / "again", "swh_Latn", training=Training(pieces=300), with_arpa=True, memory=1)
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["pieces.model", "ngrams.bin"])
def test_a_swapped_part_is_refused(folder, tmp_path, name):
    train(sentences(600, seed=3), tmp_path / "other", "xxx_Latn", training=Training(pieces=200))
    shutil.copytree(folder, tmp_path / "mixed")
    shutil.copy(tmp_path / "other" / name, tmp_path / "mixed" / name)
    with pytest.raises(ModelError, match=name):
        bundle.load(tmp_path / "mixed")


def test_an_edited_manifest_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "edited")
    path = tmp_path / "edited" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["normaliser"]["lower"] = False
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ModelError, match="by hand"):
        bundle.load(tmp_path / "edited")
    path.unlink()
    with pytest.raises(ModelError, match="not a bundle"):
        bundle.load(tmp_path / "edited")


def test_ccnet_files_are_a_bundle(folder, tmp_path):
    shutil.copy(folder / "ngrams.arpa.gz", tmp_path / "sw.arpa.gz")
    shutil.copy(folder / "pieces.model", tmp_path / "sw.sp.model")
    texts = list(sentences(5, seed=4))
    found = bundle.load_ccnet(tmp_path, "sw", "swh_Latn")
    assert found.references == {}
    assert found.scorer.score(texts).perplexity == pytest.approx(
        bundle.load(folder).scorer.score(texts).perplexity, rel=1e-6
    )
    (tmp_path / "cutoff.csv").write_text(",fr,sw\n30,1,200\n60,1,400\n", "utf-8")
    bundle.load_ccnet.cache_clear()
    reference = bundle.load_ccnet(tmp_path, "sw", "swh_Latn").references["ccnet"]
    assert reference.percentile(np.array([200.0, 400.0]), np.array([9, 900])).tolist() == [30, 60]
    with pytest.raises(ModelError, match="fr"):
        bundle.load_ccnet(tmp_path, "fr", "fra_Latn")


def test_training_says_what_is_wrong(folder):
    with pytest.raises(OutputError, match="exists"):
        train(["x"], folder, "swh_Latn")
    with pytest.raises(InputError, match="too little"):
        train([" "], folder.parent / "nothing", "swh_Latn")
