"""Unigram models by SentencePiece's trainer, whose result depends on the texts alone. Its one import under here.

The trainer of the tokenizers library adds up probabilities in an order that differs from process to process, and so
does the vocabulary that is left. This one sorts, and runs in one thread, for sums over threads depend on their number.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers

from tamis.errors import ConfigError, MissingExtraError
from tamis.tokenize.sentencepiece import parse

_RAREST = 10.0  # below the least score, for bytes that the texts do not have


def learn(
    texts: Iterator[str], splits: pre_tokenizers.PreTokenizer, size: int, special_tokens: Sequence[str], longest: int
) -> Tokenizer:
    """Return a Unigram of `size` pieces, special tokens first, that knows all letters which stand for bytes.

    The same texts give the same pieces and scores. Raises MissingExtraError without SentencePiece, ConfigError where
    the texts are too few.
    """
    words = Counter(word for text in texts for word, _ in splits.pre_tokenize_str(text))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    absent = sorted(set(letters) - {letter for word in words for letter in word})
    pieces = _train(words, size - len(special_tokens) - len(absent) + 1, longest)[1:]  # all but the unknown
    least = min(score for _, score in pieces) - _RAREST
    vocabulary = [(token, 0.0) for token in special_tokens] + pieces + [(letter, least) for letter in absent]
    tokenizer = Tokenizer(models.Unigram(vocabulary))
    tokenizer.add_special_tokens(list(special_tokens))
    return tokenizer


def _train(words: Counter[str], size: int, longest: int) -> list[tuple[str, float]]:
    """Return pieces and their scores, the unknown piece first."""
    file = io.BytesIO()
    try:
        _library().SentencePieceTrainer.train(
            sentence_iterator=(f"{word}\t{words[word]}" for word in sorted(words)),
            input_format="tsv",
            model_writer=file,
            model_type="unigram",
            vocab_size=size,
            num_threads=1,
            character_coverage=1.0,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=False,
            split_by_unicode_script=False,
            split_by_number=False,
            split_by_whitespace=False,
            max_sentencepiece_length=longest,
            max_sentence_length=1 << 20,
            unk_id=0,
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ConfigError(
            f"The texts make no vocabulary of this size: {error}.", "Give more text or ask for a smaller vocabulary."
        ) from error
    return [(content, score) for content, score, _ in parse(file.getvalue()).pieces]


def _library() -> Any:
    try:
        import sentencepiece
    except ImportError as error:
        raise MissingExtraError(
            "Training a Unigram needs SentencePiece, which is not installed.", "pip install 'tamis[lm]'"
        ) from error
    return sentencepiece
