"""Training: fair shares, the same file from the same text, a card that tells."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import ConfigError
from tamis.tokenize import default, load
from tamis.tokenize.train import draw, quotas, train


@settings(deadline=None, max_examples=200)
@given(
    sizes=st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(0, 10_000), max_size=8),
    temperature=st.floats(0, 1),
    total=st.integers(0, 20_000),
)
def test_shares_fill_the_sample_and_overdraw_nobody(sizes, temperature, total):
    shares = quotas(sizes, temperature, total)
    assert all(0 <= shares[code] <= sizes[code] for code in sizes)
    assert min(total, sum(sizes.values())) - len(sizes) <= sum(shares.values()) <= total
    ordered = sorted(sizes, key=lambda code: sizes[code])
    assert all(shares[less] <= shares[more] + 1 for less, more in itertools.pairwise(ordered))


def test_a_low_temperature_evens_languages_out():
    sizes = {"eng": 1_000_000, "isl": 10_000}
    assert quotas(sizes, 1.0, 101_000)["isl"] == 1000
    assert quotas(sizes, 0.3, 20_000)["isl"] > 3500


def test_a_draw_is_seeded_and_repeats_when_asked():
    texts = [f"line {number}" for number in range(100)]
    assert draw(texts, 100, 1) == draw(texts[::-1], 100, 1) != draw(texts, 100, 2)
    assert sorted(draw(texts, 10**9, 1)) == sorted(texts)
    assert len(draw(texts, 10**9, 1, repeats=3)) == 300


def test_training_twice_gives_the_same_file_and_it_loads(samples, tmp_path):
    texts = {code: [text] * 3 for code, text in samples.SENTENCES.items()}
    cards = [train(texts, 600, tmp_path / name, seed=4) for name in ("a", "b")]
    assert cards[0] == cards[1]
    assert (tmp_path / "a/tokenizer.json").read_bytes() == (tmp_path / "b/tokenizer.json").read_bytes()
    encoder = load(str(tmp_path / "a"))
    assert (encoder.engine, encoder.vocab_size, encoder.eos_id) == ("kernel", 600, 0)
    assert encoder.checksum == cards[0].checksum
    assert [encoder.decode(ids) for ids in encoder.encode(samples.TEXTS).to_pylist()] == samples.TEXTS
    card = json.loads((tmp_path / "a/card.json").read_text("utf-8"))
    english = card["languages"]["eng_Latn"]
    assert english["tokens"] == 3 * len(encoder.encode(texts["eng_Latn"][:1])[0])
    assert 0 <= english["single_token_words"] <= 1


def test_unigram_gives_every_text_back(samples, tmp_path):
    texts = {code: [text] * 3 for code, text in samples.SENTENCES.items()}
    cards = [train(texts, 450, tmp_path / "a", model="unigram")]
    encoder = load(str(tmp_path / "a"))
    assert (encoder.engine, encoder.vocab_size, encoder.eos_id, cards[0].model) == ("tokenizers", 450, 0, "unigram")
    lists = encoder.encode(samples.TEXTS).to_pylist()
    assert [encoder.decode(ids) for ids in lists] == samples.TEXTS
    assert not {number for ids in lists for number in ids} & set(encoder.special_ids.values())
    english = cards[0].languages["eng_Latn"]
    assert english.tokens_per_byte == pytest.approx(1 / english.bytes_per_token, rel=0.01)


def test_a_unigram_is_the_same_in_every_process(samples, tmp_path):
    script = """
import json, sys
from tamis.tokenize.train import train
train(json.loads(sys.argv[1]), 450, __import__("pathlib").Path(sys.argv[2]), model="unigram")
"""
    texts = json.dumps({code: [text] * 3 for code, text in samples.SENTENCES.items()})
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", script, texts, str(tmp_path / seed)]
        subprocess.run(command, env=environment, check=True, timeout=120)
    for name in ("tokenizer.json", "card.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_given_weights_are_the_shares(samples, tmp_path):
    assert quotas({"eng": 900, "fra": 900, "deu": 900}, 0.3, 300, {"eng": 2, "fra": 1}) == {
        "deu": 0,
        "eng": 200,
        "fra": 100,
    }
    texts = {code: [f"{number} {text}" for number in range(20)] for code, text in samples.SENTENCES.items()}
    card = train(texts, 300, tmp_path, weights={"eng_Latn": 3, "rus_Cyrl": 1}, sample_bytes=800)
    assert (card.temperature, card.weights) == (None, {"eng_Latn": 3, "rus_Cyrl": 1})
    drawn = {code: each.sampled_bytes for code, each in card.languages.items() if each.sampled_bytes}
    assert drawn.keys() == {"eng_Latn", "rus_Cyrl"}
    assert 2 < drawn["eng_Latn"] / drawn["rus_Cyrl"] < 4
    for wrong, said in (({"xxx": 1}, "Unknown language"), ({"eng_Latn": -1}, "weight of eng_Latn"),
                        ({"eng_Latn": 0}, "above 0")):  # fmt: skip
        with pytest.raises(ConfigError, match=said):
            train(texts, 500, tmp_path, weights=wrong)
    with pytest.raises(ConfigError, match="Unknown model"):
        train(texts, 500, tmp_path, model="wordpiece")


def test_too_little_text_or_room_is_said(tmp_path):
    with pytest.raises(ConfigError, match="cannot hold 256 bytes"):
        train({"eng": ["a"]}, 100, tmp_path)
    with pytest.raises(ConfigError, match="of the 5000 asked for"):
        train({"eng": ["a b"]}, 5000, tmp_path)


def test_the_default_is_built_from_the_listed_corpora(samples, tmp_path, monkeypatch):
    lines = [f"{code}\t{text}" for code, text in samples.SENTENCES.items() if not set(text) & set("\t\r\n")]
    for name, column in (("common-voice/sentences", "locale"), ("tatoeba-laser/tatoeba", "iso639_3"),
                         ("bible-corpus/verses", "iso639"), ("udhr/udhr", "iso639_3")):  # fmt: skip
        path = tmp_path / f"{name}.tsv.gz"
        path.parent.mkdir()
        path.write_bytes(gzip.compress("\n".join([f"{column}\ttext", *lines, "en\tA line."]).encode()))
    monkeypatch.setattr(default, "VOCAB_SIZE", 500)
    default.build(tmp_path, tmp_path / "out")
    card = json.loads((tmp_path / "out/card.json").read_text("utf-8"))
    assert {"eng", "zxx", "tha_Thai"} <= set(card["languages"])
    assert len(card["sources"]) == 4
    assert load(str(tmp_path / "out")).vocab_size == 500
