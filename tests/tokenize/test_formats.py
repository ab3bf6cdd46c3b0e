"""SentencePiece and tiktoken files: the ids of their own libraries where installed, and texts given back everywhere."""

from __future__ import annotations

import base64
import struct

import pytest

from tamis.errors import ModelError
from tamis.tokenize import load
from tamis.tokenize.ranks import _PATTERNS, _ranks
from tamis.tokenize.sentencepiece import parse


def shared(samples, name):
    path = samples.SHARED / "models" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path


# Control characters and trailing spaces beside user-defined pieces are the one difference known.
def ordinary(samples):
    return [text for name, text in samples.SENTENCES.items() if name not in ("spaces", "controls", "special")]


@pytest.mark.parametrize("name", ["mistral_v1", "test_model", "test_ja_model"])
def test_a_sentencepiece_model_gives_its_librarys_ids(samples, name):
    path = shared(samples, f"sentencepiece/{name}.model")
    encoder, texts = load(str(path)), ordinary(samples)
    assert encoder.special_ids.keys() >= {"<unk>", "<s>", "</s>"}
    library = pytest.importorskip("sentencepiece").SentencePieceProcessor(model_file=str(path))
    assert encoder.encode(texts).to_pylist() == [library.encode(text) for text in texts]


def test_a_model_with_byte_fallback_gives_every_text_back(samples):
    encoder = load(str(shared(samples, "sentencepiece/mistral_v1.model")))
    assert [encoder.decode(ids) for ids in encoder.encode(samples.TEXTS).to_pylist()] == samples.TEXTS
    ids = encoder.encode(["</s><s>"])[0].as_py()
    assert not set(ids) & {encoder.eos_id, encoder.bos_id}


def test_a_tiktoken_file_gives_its_librarys_ids(samples):
    path = shared(samples, "tiktoken/whisper_multilingual.tiktoken")
    encoder = load(str(path))
    assert (encoder.engine, encoder.eos_id, encoder.vocab_size) == ("kernel", 50_257, 50_258)
    lists = encoder.encode(samples.TEXTS)
    assert [encoder.decode(ids) for ids in lists.to_pylist()] == samples.TEXTS
    tiktoken = pytest.importorskip("tiktoken")
    ranks = _ranks(path.read_bytes())
    library = tiktoken.Encoding("same", pat_str=_PATTERNS["gpt2"], mergeable_ranks=ranks, special_tokens={})
    assert lists.to_pylist() == [library.encode_ordinary(text) for text in samples.TEXTS]


def test_a_small_tiktoken_file_merges_by_rank(tmp_path):
    tokens = [bytes([byte]) for byte in range(256)] + [b"ab", b"bc", b"abc"]
    lines = [base64.b64encode(token).decode() + f" {rank}" for rank, token in enumerate(tokens)]
    path = tmp_path / "my_cl100k.tiktoken"
    path.write_text("\n".join(lines))
    encoder = load(str(path))
    assert encoder.encode(["abc", "abcd", "bcab"]).to_pylist() == [[258], [258, 100], [257, 256]]
    path.rename(tmp_path / "other.tiktoken")
    with pytest.raises(ModelError, match="does not say how it splits"):
        load(str(tmp_path / "other.tiktoken"))


def test_a_small_sentencepiece_message_is_read():
    piece = b"\x0a\x03abc" + b"\x15" + struct.pack("<f", -2.5) + b"\x18\x04"
    trainer, normalizer = b"\x18\x02\x98\x02\x01", b"\x18\x00\x20\x00"
    message = b"".join(tag + bytes([len(part)]) + part for tag, part in
                       ((b"\x0a", piece), (b"\x12", trainer), (b"\x1a", normalizer)))  # fmt: skip
    model = parse(message)
    assert model.pieces == [("abc", -2.5, 4)]
    assert (model.kind, model.byte_fallback, model.prefix, model.tidy) == (2, True, False, False)


@pytest.mark.parametrize("content", [b"", b"\xff" * 12, b"\x0a\x7fshort", b"{}"])
@pytest.mark.parametrize("suffix", ["model", "tiktoken"])
def test_a_broken_file_says_so(tmp_path, content, suffix):
    path = tmp_path / f"cl100k.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError):
        load(str(path))
