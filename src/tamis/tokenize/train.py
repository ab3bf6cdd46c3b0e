"""Train a byte-level BPE or Unigram on a sample balanced between languages.

Sampling follows Conneau and Lample (2019, arXiv 1901.07291, section 3.1): a language with share p of the text is drawn
with weight p**temperature. We differ in that text is repeated only as often as asked for: what a language cannot fill
goes to the others. Unigram (Kudo 2018, arXiv 1804.10959) works on bytes too, so that no character is unknown to it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tamis.errors import ConfigError, unknown
from tamis.tokenize import unigram

# OpenAI's o200k pattern (tiktoken, openai_public.py, MIT): combining marks stay inside words, so Indic and Thai words
# are not cut at every vowel sign; digits come in groups of at most three, read from the left.
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
PATTERN = "|".join(
    [
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_SUFFIX}",
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_SUFFIX}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    ]
)
END_OF_TEXT, PAD = "<|endoftext|>", "<|pad|>"
MODELS = ("bpe", "unigram")
SPECIAL_TOKENS = (END_OF_TEXT, PAD, *(f"<|reserved_{number}|>" for number in range(14)))
_LONGEST = 24  # letters of a token; longer ones are one document's refrain, not the language
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Fertility:
    """How one language is cut: over the text it was given, `words` being runs without white space."""

    bytes: int
    sampled_bytes: int
    tokens: int
    tokens_per_word: float
    tokens_per_byte: float
    bytes_per_token: float
    single_token_words: float  # share of words that are one token


@dataclass(frozen=True, slots=True)
class Training:
    """What a training run was given and what it gave; `card.json` is this."""

    vocab_size: int
    model: str
    pattern: str
    special_tokens: tuple[str, ...]
    temperature: float | None  # None where `weights` were given
    weights: dict[str, float]
    sample_bytes: int
    seed: int
    repeats: dict[str, int]
    checksum: str  # sha256 of tokenizer.json
    languages: dict[str, Fertility]


def train(
    texts: Mapping[str, Sequence[str]],
    vocab_size: int,
    out: Path,
    *,
    model: str = "bpe",
    temperature: float = 0.3,
    weights: Mapping[str, float] | None = None,
    sample_bytes: int = 1 << 30,
    seed: int = 0,
    repeats: Mapping[str, int] | None = None,
    special_tokens: Sequence[str] = SPECIAL_TOKENS,
) -> Training:
    """Train on `texts` by language, write `tokenizer.json` and `card.json` into the folder `out`, return the card.

    `vocab_size` includes special tokens, whose ids come first. `model` is "bpe" or "unigram". `repeats` says how often
    a language's text counts (1 where it names none), before `temperature` flattens the shares and `sample_bytes` bounds
    the sample. `weights`, where given, are the shares instead: languages they do not name are left out of the sample.
    The same texts and options give the same file.
    Raises MissingExtraError for a Unigram without SentencePiece; ConfigError where the text is too little for the
    vocabulary, there is no room for the 256 bytes, or weights name a language without text.
    """
    if model not in MODELS:
        raise unknown("model", model, MODELS)
    if vocab_size < 256 + len(special_tokens):
        raise ConfigError(
            f"A vocabulary of {vocab_size} cannot hold 256 bytes and the special tokens.", "Ask for more."
        )
    times = dict(repeats or {})
    sizes = {code: _size(texts[code]) * times.get(code, 1) for code in texts}
    given = _given(weights, sizes)
    quota = quotas(sizes, temperature, sample_bytes, given)
    sample = {code: draw(texts[code], quota[code], seed, times.get(code, 1)) for code in sorted(texts)}
    tokenizer = _learn(model, (text for code in sorted(sample) for text in sample[code]), vocab_size, special_tokens)
    if tokenizer.get_vocab_size() < vocab_size:
        raise ConfigError(
            f"The text gave {tokenizer.get_vocab_size()} tokens of the {vocab_size} asked for.",
            "Give more text or ask for a smaller vocabulary.",
        )
    payload = canonical(tokenizer)
    tokenizer = Tokenizer.from_str(payload.decode())
    card = Training(
        vocab_size,
        model,
        PATTERN,
        tuple(special_tokens),
        None if given else temperature,
        given or {},
        sample_bytes,
        seed,
        times,
        hashlib.sha256(payload).hexdigest(),
        {code: fertility(tokenizer, texts[code], sample[code]) for code in sorted(texts) if texts[code]},
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "tokenizer.json").write_bytes(payload)
    (out / "card.json").write_text(json.dumps(asdict(card), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return card


def _given(weights: Mapping[str, float] | None, sizes: Mapping[str, int]) -> dict[str, float] | None:
    if weights is None:
        return None
    for code, weight in weights.items():
        if not sizes.get(code):
            raise unknown("language", code, [known for known in sizes if sizes[known]])
        if not 0 <= weight < float("inf"):
            raise ConfigError(f"The weight of {code} is {weight}.", "Weights are numbers of at least 0.")
    if not any(weights.values()):
        raise ConfigError("No language has a weight above 0.", "Give one, or leave weights out.")
    return dict(sorted(weights.items()))


def quotas(
    sizes: Mapping[str, int], temperature: float, total: int, given: Mapping[str, float] | None = None
) -> dict[str, int]:
    """Return bytes to draw per language: in proportion to size**temperature, none above its size, `total` in all.

    Weights that are `given` take the place of size**temperature.
    """
    left, result = total, dict.fromkeys(sorted(sizes), 0)
    weights = {code: sizes[code] ** temperature if given is None else given.get(code, 0) for code in result}
    weights = {code: weight for code, weight in weights.items() if sizes[code] and weight}
    while weights and left > 0:
        unit = left / sum(weights.values())
        full = [code for code, weight in weights.items() if weight * unit >= sizes[code]]
        for code in full or list(weights):
            result[code] = sizes[code] if full else int(weights[code] * unit)
            del weights[code]
            left -= result[code]
    return result


def _size(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def draw(texts: Sequence[str], quota: int, seed: int, repeats: int = 1) -> list[str]:
    """Return about `quota` bytes of texts, in the order of their seeded hashes, over again up to `repeats` times."""
    keyed = sorted((hashlib.blake2b(f"{seed}\0{text}".encode(), digest_size=8).digest(), text) for text in texts)
    taken: list[str] = []
    for _, text in keyed * repeats:
        if quota <= 0:
            break
        taken.append(text)
        quota -= len(text.encode())
    return taken


def _learn(model: str, texts: Iterator[str], vocab_size: int, special_tokens: Sequence[str]) -> Tokenizer:
    splits = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    if model == "unigram":
        tokenizer = unigram.learn(texts, splits, vocab_size, special_tokens, _LONGEST)
    else:
        tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = splits
    tokenizer.decoder = decoders.ByteLevel()
    if model == "bpe":
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=list(special_tokens),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
            max_token_length=_LONGEST,
        )
        tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def canonical(tokenizer: Tokenizer) -> bytes:
    """Return the tokenizer as JSON in no hash order: the vocabulary by id."""
    data = json.loads(tokenizer.to_str())
    vocab = data["model"]["vocab"]
    if isinstance(vocab, dict):
        data["model"]["vocab"] = dict(sorted(vocab.items(), key=lambda item: item[1]))
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def fertility(tokenizer: Tokenizer, texts: Sequence[str], sampled: Sequence[str], rows: int = 2000) -> Fertility:
    """Return how `tokenizer` cuts the first `rows` of `texts`; `sampled` is what training saw of them."""
    shown = texts[:rows]
    tokens = sum(len(ids) for ids in _encoded(tokenizer, shown))
    words = [word for text in shown for word in _WORD.findall(text)]
    whole = sum(len(ids) == 1 for ids in _encoded(tokenizer, [f" {word}" for word in words]))
    return Fertility(
        bytes=_size(texts),
        sampled_bytes=_size(sampled),
        tokens=tokens,
        tokens_per_word=round(tokens / max(len(words), 1), 3),
        tokens_per_byte=round(tokens / max(_size(shown), 1), 4),
        bytes_per_token=round(_size(shown) / max(tokens, 1), 3),
        single_token_words=round(whole / max(len(words), 1), 4),
    )


def _encoded(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[list[int]]:
    for start in range(0, len(texts), 1000):
        batch = tokenizer.encode_batch_fast(list(texts[start : start + 1000]), add_special_tokens=False)
        yield from (encoding.ids for encoding in batch)
