"""Small models with random weights, saved as anyone would save theirs, and texts of many lengths."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

SENTENCE = "the quick brown fox jumps over the lazy dog and every river that runs into the wide sea of words"
WIDTH = 32
WORDS = 400


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """What saves a model by name, once, and returns its folder; tests without torch are skipped."""
    torch = pytest.importorskip("torch", reason="neural scorers need torch")
    # Small models gain nothing from threads, which wait for one another by spinning.
    torch.set_num_threads(1)
    library = pytest.importorskip("transformers", reason="neural scorers need transformers")
    library.logging.disable_progress_bar()
    root = tmp_path_factory.mktemp("zoo")
    makers: dict[str, Callable[[Path], Path]] = {
        "bert": bert,
        "labels": lambda folder: bert(folder, labels=3),
        "two": lambda folder: bert(folder, labels=2),
        "encoder": lambda folder: bert(folder, kind="BertModel"),
        "roberta": roberta,
        "modernbert": modernbert,
        "modernbert-cls": lambda folder: modernbert(folder, pooling="cls"),
        "llama": llama,
        "llama-classifier": lambda folder: llama(folder, kind="LlamaForSequenceClassification"),
        "distilbert": distilbert,
    }

    @cache
    def make(name: str) -> Path:
        return makers[name](root / name)

    return make


@pytest.fixture(scope="session")
def lengths() -> pa.LargeStringArray:
    """Eighty texts whose lengths spread as those of web pages do, an empty one and a null among them."""
    random = Random(1)
    words = SENTENCE.split()
    texts: list[str | None] = [
        " ".join(random.choices(words, k=int(random.lognormvariate(3.6, 1.1)) + 1)) for _ in range(78)
    ]
    return pa.array([*texts[:40], "", None, *texts[40:]], pa.large_string())


def tokenizer(folder: Path, *, marks: bool) -> int:
    """Save a byte-level tokenizer, with [CLS] … [SEP] round a text or without; returns the size of its vocabulary."""
    made = Tokenizer(BPE(unk_token=None))
    made.pre_tokenizer = ByteLevel(add_prefix_space=False)
    special = ["[PAD]", "[CLS]", "[SEP]"]
    trainer = BpeTrainer(vocab_size=WORDS, special_tokens=special, initial_alphabet=ByteLevel.alphabet())
    made.train_from_iterator([SENTENCE] * 3, trainer)
    if marks:
        pairs = [(name, made.token_to_id(name)) for name in special[1:]]
        made.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=pairs)
    made.save(str(folder / "tokenizer.json"))
    return made.get_vocab_size()


def bert(folder: Path, *, labels: int = 1, seed: int = 0, kind: str = "BertForSequenceClassification") -> Path:
    """Save a BERT of two layers and 64 positions."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    config = transformers.BertConfig(
        vocab_size=tokenizer(folder, marks=True), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=64, num_labels=labels, pad_token_id=0,
    )  # fmt: skip
    return _save(getattr(transformers, kind)(config), folder, seed)


def roberta(folder: Path, *, seed: int = 0) -> Path:
    """Save a RoBERTa, whose positions start behind the padding's id."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    config = transformers.RobertaConfig(
        vocab_size=tokenizer(folder, marks=True), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=65, num_labels=1, pad_token_id=0,
    )  # fmt: skip
    return _save(transformers.RobertaForSequenceClassification(config), folder, seed)


def modernbert(folder: Path, *, pooling: str = "mean", seed: int = 0) -> Path:
    """Save a ModernBERT of three layers, one of them global, the others seeing eight tokens to each side."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    config = transformers.ModernBertConfig(
        vocab_size=tokenizer(folder, marks=True), hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=256, local_attention=16, global_attn_every_n_layers=3,
        num_labels=1, pad_token_id=0, cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2,
        classifier_pooling=pooling,
    )  # fmt: skip
    return _save(transformers.ModernBertForSequenceClassification(config), folder, seed)


def llama(folder: Path, *, kind: str = "LlamaForCausalLM", seed: int = 0) -> Path:
    """Save a Llama of two layers with grouped heads."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    config = transformers.LlamaConfig(
        vocab_size=tokenizer(folder, marks=False), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=64, max_position_embeddings=128, num_labels=1, pad_token_id=0,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    return _save(getattr(transformers, kind)(config), folder, seed)


def distilbert(folder: Path, *, seed: int = 0) -> Path:
    """Save a model of a type that is not packed."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    config = transformers.DistilBertConfig(
        vocab_size=tokenizer(folder, marks=True), dim=WIDTH, n_layers=2, n_heads=4, hidden_dim=64,
        max_position_embeddings=64, num_labels=1, pad_token_id=0,
    )  # fmt: skip
    return _save(transformers.DistilBertForSequenceClassification(config), folder, seed)


def _save(model: Any, folder: Path, seed: int) -> Path:
    import torch

    # The library's own starting weights are so small that every document would get the same score.
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            one = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
            weight.copy_(torch.randn(weight.shape, generator=noise) * 0.25 + one)
    model.save_pretrained(folder)
    return folder
