"""Training of fastText classifiers (Joulin et al. 2016, arXiv:1607.01759): one thread, so that the same documents give
the same bytes; fastText's own trainer races its threads over one matrix."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import text_buffers
from tamis.scoring import fasttext_walk as walk
from tamis.scoring.examples import Examples
from tamis.scoring.fasttext_file import END, FastText, write
from tamis.scoring.fasttext_quality import GOOD, MODEL, tables
from tamis.text.kernel import kernel

LABELS = ("bad", GOOD)


@dataclass(frozen=True, slots=True)
class Fit:
    """fastText's options; the defaults are DCLM's but for a narrower, smaller matrix (268 MB).

    width: of the vectors; word_ngrams: words in the longest n-gram; buckets: rows for hashed n-grams;
    minn, maxn: characters in n-grams inside words, 0 for none; min_count: how often a word is seen to have a row.
    """

    width: int = 64
    epochs: int = 5
    rate: float = 0.1
    word_ngrams: int = 2
    buckets: int = 1 << 20
    minn: int = 0
    maxn: int = 0
    min_count: int = 1
    seed: int = 1


def train(examples: Examples, folder: Path, fit: Fit) -> None:
    """Train on what is not held out and write `model.bin` into the folder."""
    learned = np.flatnonzero(~examples.held_out)
    texts = examples.texts.take(pa.array(learned))
    labels = (examples.labels[learned] > 0.5).astype(np.int64)
    words, counts = dictionary(texts, fit.min_count)
    random = np.random.default_rng(fit.seed)
    shape = (len(words) + fit.buckets, fit.width)
    rows = (random.random(shape, np.float32) * 2 - 1) / np.float32(fit.width)
    output = np.zeros((len(LABELS), fit.width), np.float32)
    model = FastText(words, LABELS, fit.buckets, fit.word_ngrams, fit.minn, fit.maxn, rows, output)
    table, spelling, options = tables(model)
    offsets, data = text_buffers(texts)
    features, most = walk.room(int(np.diff(offsets).max(initial=0)), options)
    order = np.concatenate([random.permutation(len(texts)) for _ in range(fit.epochs)]).astype(np.int64)
    _learn(offsets, data, labels, order, options, table, spelling, rows, output, fit.rate, features, most)
    seen = np.concatenate([counts, np.bincount(labels, minlength=len(LABELS))]).astype(np.int64)
    write(model, folder / MODEL, seen, fit.epochs, fit.rate)


def dictionary(texts: pa.LargeStringArray, least: int) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the words seen at least so often and how often, commonest first, equal ones by spelling; `</s>` among
    them, once for every text."""
    found: Counter[bytes] = Counter()
    for text in texts.to_pylist():
        found.update(text.encode().replace(b"\0", b" ").split())
    found[END.encode()] += len(texts)
    kept = sorted((-count, word) for word, count in found.items() if count >= least)
    return tuple(word.decode() for _, word in kept), np.array([-count for count, _ in kept], np.int64)


@kernel
def _learn(
    offsets: walk.Ints, data: walk.Bytes, labels: walk.Ints, order: walk.Ints, options: walk.Ints, table: walk.Ints,
    spelling: walk.Bytes, rows: walk.Floats, output: walk.Floats, rate: float, room_features: int, room_words: int,
) -> None:  # fmt: skip
    """Go through the texts in `order`; the rate falls to nothing on the way."""
    found = np.empty(room_features, np.int64)
    hashes = np.empty(room_words, np.int64)
    chances = np.empty(len(output), np.float32)
    for step in range(len(order)):
        text = order[step]
        count = walk.features(data, offsets[text], offsets[text + 1], options, table, spelling, found, hashes)
        if count == 0:
            continue
        hidden = np.zeros(rows.shape[1], np.float32)
        for i in range(count):
            hidden += rows[found[i]]
        hidden /= np.float32(count)
        walk.softmax(hidden, output, chances)
        alpha = np.float32(rate * (1 - step / len(order)))
        change = np.zeros(rows.shape[1], np.float32)
        for label in range(len(output)):
            slope = alpha * (np.float32(label == labels[text]) - chances[label])
            change += slope * output[label]
            output[label] += slope * hidden
        change /= np.float32(count)
        for i in range(count):
            rows[found[i]] += change
