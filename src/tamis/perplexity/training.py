"""Training: text to a bundle. Pieces, n-grams, and the scores of text that neither has seen."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.columns import as_text, text_buffers
from tamis.errors import ConfigError, InputError, MissingExtraError, OutputError, unknown
from tamis.perplexity import arpa, bundle, lmplz, unigram
from tamis.perplexity.calibrate import references
from tamis.perplexity.estimate import Estimate, estimate
from tamis.perplexity.ngrams import BEGIN, END, UNKNOWN, hash_table
from tamis.perplexity.normalise import Normaliser, code_table
from tamis.perplexity.scorer import Scorer
from tamis.perplexity.spm import train as train_pieces
from tamis.perplexity.walk import contextual, encode_documents

ESTIMATORS = ("auto", "tamis", "lmplz")
_BATCH = 4096
_MOST_PIECES = 65_536
_CHARACTERS_PER_PIECE = 200


@dataclass(frozen=True, slots=True)
class Training:
    """How a bundle is trained.

    `hold_out` is the share of documents kept for the reference distribution, at most `max_held_out` of them; pieces
    are learned from at most `piece_bytes` of text, spread evenly over all of it; None of them means as many as suit the
    text. `min_tokens` is what a document of the reference must have.
    """

    order: int = 5
    prune: tuple[int, ...] = (0, 0, 1)
    pieces: int | None = None
    piece_bytes: int = 20_000_000
    hold_out: float = 0.1
    max_held_out: int = 20_000
    min_tokens: int = 5
    normaliser: Normaliser = field(default_factory=Normaliser)

    def __post_init__(self) -> None:
        if not 2 <= self.order <= 5:
            raise ConfigError(f"order is {self.order}.", "It must be from 2 to 5.")
        if not 0 < self.hold_out < 1:
            raise ConfigError(f"hold_out is {self.hold_out}.", "It must lie between 0 and 1.")
        if any(a > b for a, b in zip(self.prune, self.prune[1:], strict=False)) or any(n < 0 for n in self.prune):
            raise ConfigError(f"prune is {self.prune}.", "Thresholds must not fall from one order to the next.")


def train(
    texts: Iterable[str],
    output: str | Path,
    language: str,
    *,
    training: Training | None = None,
    licence: str = "unknown",
    memory: int = 4 << 30,
    estimator: str = "auto",
    with_arpa: bool = False,
) -> dict[str, Any]:
    """Train on documents and write the bundle to the folder `output`; returns its manifest.

    A document is one text; line feeds within it end sentences. The same documents give the same bytes, whatever the
    memory. `estimator` is "tamis", "lmplz" (KenLM's, from PATH), or "auto": lmplz where there is one; the manifest says
    which it was. Raises OutputError where the folder exists, InputError where there is too little text, and
    MissingExtraError without lmplz where it is asked for.
    """
    training, output, program = training or Training(), Path(output), _program(estimator)
    if output.exists():
        raise OutputError(f"{output} exists already.", "Name another folder.")
    learned, held = _split([text for text in texts if text.strip()], training)
    if not learned or not held:
        raise InputError("There is too little text to train on.", "Give at least a few hundred lines.")
    part = output.with_name(output.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    (part / bundle.PIECES).write_bytes(_pieces(learned, training))
    pieces = unigram.read(part / bundle.PIECES)
    ids = encode(learned, training.normaliser, pieces)
    words = (UNKNOWN, BEGIN, END, *_words(pieces))
    count = partial(lmplz.estimate, program) if program else estimate
    made = count(ids, len(words), training.order, prune=training.prune, memory=memory)
    model = hash_table(training.order, words, list(made.tables))
    model.save(part / bundle.NGRAMS)
    if with_arpa:
        arpa.write(part / "ngrams.arpa.gz", words, made.tables)
    scorer = Scorer(training.normaliser, pieces, model, part / bundle.PIECES)
    found = references(scorer, held, training.min_tokens)
    facts = _facts(learned, held, ids, made, training)
    facts |= {"estimator": "lmplz" if program else "tamis", "licence": licence}
    manifest = bundle.seal(part, language, training.normaliser, found, facts)
    part.rename(output)
    return manifest


def _program(estimator: str) -> str | None:
    """Return the path of lmplz where it is to be used."""
    if estimator not in ESTIMATORS:
        raise unknown("estimator", estimator, ESTIMATORS)
    found = lmplz.program() if estimator != "tamis" else None
    if found is None and estimator == "lmplz":
        raise MissingExtraError("There is no lmplz on PATH.", "Build KenLM, or train with --estimator tamis.")
    return found


def _split(texts: list[str], training: Training) -> tuple[list[str], list[str]]:
    """Return the documents to learn from and those held out: every k-th, so that both are spread over the input."""
    texts = list(dict.fromkeys(texts))  # what is learned must not come again among what is held out
    step = max(round(1 / training.hold_out), -(-len(texts) // training.max_held_out), 2)
    held = texts[step - 1 :: step]
    return [text for place, text in enumerate(texts) if place % step != step - 1], held


def _pieces(texts: Sequence[str], training: Training) -> bytes:
    size = sum(map(len, texts))
    step = max(1, -(-size // training.piece_bytes))
    lines = [line for text in texts[::step] for line in training.normaliser.lines(text) if line]
    return train_pieces(lines, training.pieces or _suitable(lines, size))


def _suitable(lines: Sequence[str], size: int) -> int:
    """Return how many pieces suit a text of so many characters: its alphabet, and more the more there is of it.

    CCNet's number from 13 million characters on. In a small text most pieces of a large vocabulary come but once, and
    what words may follow each other cannot be learned.
    """
    # As SentencePiece will see it, which puts together again what CCNet's rules took apart, such as Hangul.
    alphabet = len(set[str]().union(*(unicodedata.normalize("NFKC", line) for line in lines)))
    return min(_MOST_PIECES, alphabet + 500 + size // _CHARACTERS_PER_PIECE)


def _words(pieces: unigram.Unigram) -> Iterator[str]:
    """Yield the pieces that are words of the n-gram model: all but <unk> and the two of sentences' ends."""
    return (piece for piece in pieces.pieces if piece not in (UNKNOWN, BEGIN, END))


def encode(texts: Sequence[str], normaliser: Normaliser, pieces: unigram.Unigram) -> npt.NDArray[np.int32]:
    """Return documents as sentences of word numbers, between <s> (1) and </s> (2); blank ones left out."""
    table = code_table(normaliser)
    known = {piece: number for number, piece in enumerate((UNKNOWN, BEGIN, END, *_words(pieces)))}
    numbers = np.array([known.get(piece, 0) for piece in pieces.pieces], np.int32)
    parts = []
    for start in range(0, len(texts), _BATCH):
        array = as_text(list(texts[start : start + _BATCH]))
        ready = contextual(*text_buffers(array), table.kind)
        if ready.any():
            rows = array.to_pylist()
            array = as_text(["\n".join(normaliser.lines(t)) if r else t for t, r in zip(rows, ready, strict=True)])
        parts.append(
            encode_documents(
                *text_buffers(array), ready, normaliser.join_lines,
                (table.starts, table.out, table.kind, normaliser.strip_accents),
                (pieces.base, pieces.check, pieces.value, pieces.scores, pieces.unknown, pieces.unknown_score,
                 pieces.charsmap, pieces.charsmap_out, numbers),
            )
        )  # fmt: skip
    return np.concatenate(parts)


def _facts(
    learned: Sequence[str], held: Sequence[str], ids: npt.NDArray[np.int32], made: Estimate, training: Training
) -> dict[str, Any]:
    options = asdict(training)
    del options["normaliser"]
    return {
        "training": options,
        "corpus": {
            "documents": len(learned),
            "held_out": len(held),
            "characters": sum(map(len, learned)),
            "sentences": int((ids == 1).sum()),
            "tokens": int((ids != 1).sum()),
        },
        "ngrams": [len(grams) for grams, _ in made.tables],
        "discounts": [list(each) for each in made.discounts],
        "discount_fallback_orders": list(made.fallbacks),
    }
