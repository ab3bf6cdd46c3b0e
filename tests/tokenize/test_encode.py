"""Encoding: exact, reversible, blind to special-token text, and the right width."""

from __future__ import annotations

import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tamis.errors import ConfigError, ModelError
from tamis.tokenize import bpe, load
from tamis.tokenize.encode import token_type, tokenizer_path
from tamis.tokenize.split import _CL100K, _GPT2, _O200K

PATTERNS = {
    "gpt2 by ByteLevel": None,
    "gpt2 by Split": _GPT2,
    "cl100k": _CL100K.replace("DIGITS", "{1,3}"),
    "one digit": _CL100K.replace("DIGITS", ""),
    "o200k": _O200K.replace("DIGITS", "{1,3}"),
}
ODD = st.sampled_from(
    [*list(" \t\n\r\xa0'sStTlLvVeErRmMdDſKéßǅʰ0١²½Ⅷ.,/-_<|>"), "'re", "\r\n", "中", "ไ", "ि", "é", "👍🏽"]
)
TEXT = st.lists(st.one_of(ODD, st.characters(exclude_categories=["Cs"])), max_size=60).map("".join)


@pytest.fixture(scope="module", params=PATTERNS)
def patterned(request, samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("pattern") / "tokenizer.json"
    return load(samples.saved(samples.byte_level(900, pattern=PATTERNS[request.param]), path))


@settings(deadline=None, max_examples=150)
@given(texts=st.lists(TEXT, min_size=1, max_size=8))
def test_the_kernel_gives_the_ids_of_the_reference(patterned, texts):
    assert patterned.engine == "kernel"
    lists = patterned.encode(texts)
    assert lists.equals(patterned.encode_by_reference(texts))
    assert patterned.count(texts).to_pylist() == [len(ids) for ids in lists.to_pylist()]
    assert [patterned.decode(ids) for ids in lists.to_pylist()] == texts


def test_the_shipped_tokenizer_gives_every_script_back(samples):
    encoder = load("default")
    assert (encoder.engine, encoder.engine_note) == ("kernel", "")
    assert (encoder.vocab_size, encoder.dtype) == (65_536, pa.uint16())
    lists = encoder.encode(samples.TEXTS)
    assert lists.type == pa.large_list(pa.uint16())
    assert [encoder.decode(ids) for ids in lists.to_pylist()] == samples.TEXTS
    assert lists.equals(encoder.encode_by_reference(samples.TEXTS))


def test_the_card_names_the_shipped_file():
    encoder = load("default")
    card = json.loads(tokenizer_path("default").with_name("card.json").read_text("utf-8"))
    assert card["checksum"] == encoder.checksum
    assert card["vocab_size"] == encoder.vocab_size
    assert all(source["licence"] for source in card["sources"])
    assert len(card["languages"]) > 400


def test_null_and_nothing():
    encoder = load("default")
    assert encoder.encode([None, "", "a"]).to_pylist()[:2] == [[], []]
    assert encoder.count([None, "", "a"]).to_pylist() == [0, 0, 1]
    assert encoder.encode([]).to_pylist() == []
    assert encoder.count(pa.array([], pa.large_string())).type == pa.int64()


def test_a_slice_is_encoded_as_it_stands(samples):
    encoder, texts = load("default"), pa.array(samples.TEXTS, pa.large_string())
    assert encoder.encode(texts[5:9]).to_pylist() == encoder.encode(texts).to_pylist()[5:9]


@pytest.mark.parametrize("kind", ["byte_level", "unigram", "bos_eos"])
def test_special_token_text_in_a_page_is_text(samples, tmp_path, kind):
    tokenizer = getattr(samples, kind)(900) if kind == "byte_level" else getattr(samples, kind)()
    encoder = load(samples.saved(tokenizer, tmp_path / "tokenizer.json"))
    names = [*encoder.special_ids, "".join(encoder.special_ids)]
    assert names[0]
    lists = encoder.encode([*names, *(f"x {name} y" for name in names)]).to_pylist()
    assert not {number for ids in lists for number in ids} & (set(encoder.special_ids.values()) - _unknown(tokenizer))
    if kind != "unigram":
        assert [encoder.decode(ids) for ids in lists[: len(names)]] == names


def _unknown(tokenizer) -> set[int]:
    """Characters a Unigram has no piece for become its unknown token, which is no separator."""
    name = json.loads(tokenizer.to_str())["model"].get("unk_id")
    return set() if name is None else {name}


def test_begin_and_end_come_from_the_file(samples, tmp_path):
    both = load(samples.saved(samples.bos_eos(), tmp_path / "both.json"))
    assert (both.bos_id, both.eos_id) == (both.special_ids["<s>"], both.special_ids["</s>"])
    neither = load(samples.saved(samples.byte_level(800, ("<|x|>",)), tmp_path / "neither.json"))
    assert (neither.bos_id, neither.eos_id) == (None, None)
    (tmp_path / "sub").mkdir()
    samples.saved(samples.byte_level(800, ("<|x|>",)), tmp_path / "sub" / "tokenizer.json")
    (tmp_path / "sub" / "tokenizer_config.json").write_text('{"eos_token": {"content": "<|x|>"}}')
    assert load(str(tmp_path / "sub")).eos_id == 0


@pytest.mark.parametrize(("size", "dtype"), [(65_535, pa.uint16()), (65_536, pa.uint16()), (262_144, pa.uint32())])
def test_ids_fit_their_type(samples, tmp_path, size, dtype):
    path = samples.saved(samples.byte_level(size), tmp_path / "tokenizer.json")
    encoder = load(path)
    assert (encoder.vocab_size, encoder.dtype) == (size, dtype)
    edges = [number for number in (0, 65_534, 65_535, 65_536, size - 1) if number < size]
    assert pa.array(edges, encoder.dtype).to_pylist() == edges
    assert encoder.encode(samples.TEXTS).equals(encoder.encode_by_reference(samples.TEXTS))
    assert [encoder.decode(ids) for ids in encoder.encode(samples.TEXTS).to_pylist()] == samples.TEXTS
    if size > 65_536:
        with pytest.raises(ConfigError, match="uint16 cannot hold"):
            load(path, dtype="uint16")


def test_an_added_token_widens_the_ids(samples, tmp_path):
    tokenizer = samples.byte_level(65_536)
    tokenizer.add_tokens(["|||MASK|||"])
    encoder = load(samples.saved(tokenizer, tmp_path / "tokenizer.json"))
    assert (encoder.vocab_size, encoder.dtype, encoder.engine) == (65_537, pa.uint32(), "kernel")
    texts = ["plain", "a |||MASK||| b", "", "plain again"]
    assert encoder.encode(texts).equals(encoder.encode_by_reference(texts))
    assert 65_536 in encoder.encode(texts)[1].as_py()
    assert encoder.count(texts).to_pylist() == [len(ids) for ids in encoder.encode(texts).to_pylist()]


def test_added_tokens_keep_their_ids_beside_special_ones(samples, tmp_path):
    tokenizer = samples.byte_level(900, ())
    tokenizer.add_special_tokens(["<|a|>", "<|b|>"])
    tokenizer.add_tokens(["|||MASK|||"])
    encoder = load(samples.saved(tokenizer, tmp_path / "tokenizer.json"))
    text = "x |||MASK||| <|a|> y"
    ids = encoder.encode([text])[0].as_py()
    assert ids.count(902) == 1
    assert not {900, 901} & set(ids)
    assert encoder.decode(ids) == text


def test_token_type_is_checked():
    assert token_type(100, "uint32") == pa.uint32()
    with pytest.raises(ConfigError):
        token_type(100, "int32")


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"model": {}}', '{"model": {"vocab": {}}}', '{"a": 1}'])
def test_a_broken_tokenizer_says_so(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelError) as caught:
        load(str(path))
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_difference_on_the_probes_switches_to_the_reference(samples, tmp_path, monkeypatch):
    path = samples.saved(samples.byte_level(900), tmp_path / "tokenizer.json")
    real = bpe.KernelEngine.encode
    monkeypatch.setattr(
        bpe.KernelEngine, "encode", lambda self, texts: (real(self, texts)[0], real(self, texts)[1] + 1)
    )
    encoder = load(path)
    assert encoder.engine == "tokenizers"
    assert "differ" in encoder.engine_note
    assert encoder.decode(encoder.encode(["unchanged"])[0]) == "unchanged"


def test_what_the_kernel_does_not_know_goes_to_the_reference(samples, tmp_path):
    encoder = load(samples.saved(samples.unigram(), tmp_path / "tokenizer.json"))
    assert (encoder.engine, encoder.engine_note) == ("tokenizers", "no fast engine: the model is not BPE")
    assert encoder.decode(encoder.encode(["The miller's daughter"])[0]) == "The miller's daughter"


def test_it_pickles_as_its_path():
    encoder = pickle.loads(pickle.dumps(load("default")))
    assert encoder.fingerprint == load("default").fingerprint
    assert encoder.by_reference().engine == "tokenizers"
    assert pickle.loads(pickle.dumps(encoder.by_reference())).engine == "tokenizers"


def test_threads_share_an_encoder(samples):
    encoder = load("default")
    texts = [text * 40 for text in samples.TEXTS]
    right = encoder.encode(texts)
    with ThreadPoolExecutor(4) as pool:
        assert all(lists.equals(right) for lists in pool.map(encoder.encode, [texts] * 12))


def test_a_line_without_spaces_costs_what_its_bytes_cost():
    encoder, random = load("default"), np.random.default_rng(5)
    letters = "".join(map(chr, random.choice(np.arange(0x61, 0x7B), 2_000_000).tolist()))
    thai = "".join(map(chr, random.choice(np.arange(0xE01, 0xE2F), 700_000).tolist()))
    start = time.perf_counter()
    lists = encoder.encode([letters, thai, "a" * 2_000_000])
    assert time.perf_counter() - start < 30
    head = encoder.encode_by_reference([letters[:50_000]])[0].as_py()
    assert lists[0].as_py()[: len(head) - 40] == head[:-40]  # the last ids depend on what follows
    assert encoder.decode(lists[1]) == thai


def test_memory_does_not_grow_with_new_words():
    encoder, random = load("default"), np.random.default_rng(6)
    sizes = [len(getattr(encoder._engine, name)) for name in ("_short", "_wide", "_out")]
    for _ in range(3):
        encoder.count(["".join(map(chr, random.integers(0x4E00, 0x9FA0, 900).tolist())) for _ in range(300)])
    assert sizes == [len(getattr(encoder._engine, name)) for name in ("_short", "_wide", "_out")]


def test_dolma2_gives_the_ids_of_the_reference(samples):
    path = samples.SHARED / "models/tokenizer-json/allenai_dolma2.json"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    encoder = load(str(path))
    assert (encoder.engine, encoder.dtype, encoder.vocab_size) == ("kernel", pa.uint32(), 100_278)
    texts = [*samples.TEXTS, "mail |||EMAIL_ADDRESS||| now", "<|im_start|>user"]
    lists = encoder.encode(texts)
    assert lists.equals(encoder.encode_by_reference(texts))
    assert [encoder.decode(ids) for ids in lists.to_pylist()] == texts
