"""The estimator against modified Kneser–Ney written out with dictionaries, and sums over every context."""

from collections import Counter, defaultdict

import numpy as np
import pytest

from tamis.perplexity.estimate import FALLBACK, discounts, estimate

SENTENCES = ["a b c", "a b", "b c a b c d", "d d a", "a", "c a b d", "e a b c", "a b c d e", "b b b", "e", "f a b"]


def corpus(sentences=SENTENCES):
    words = ["<unk>", "<s>", "</s>", *sorted({w for s in sentences for w in s.split()})]
    ids = [n for s in sentences for n in (1, *(words.index(w) for w in s.split()), 2)]
    return np.array(ids, np.int32), words


def plain(sentences, order, thresholds, words):
    """Probabilities and back-off weights by n-gram, as Chen and Goodman write them."""
    raw = [Counter() for _ in range(order + 1)]
    before = [defaultdict(set) for _ in range(order + 1)]
    for sentence in sentences:
        tokens = ["<s>", *sentence.split(), "</s>"]
        for end in range(1, len(tokens)):
            for n in range(1, min(order, end + 1) + 1):
                gram = tuple(tokens[end - n + 1 : end + 1])
                raw[n][gram] += 1
                if end - n >= 0:
                    before[n][gram].add(tokens[end - n])
    adjusted = [None] * (order + 1)
    amount = [None] * (order + 1)
    for n in range(1, order + 1):
        adjusted[n] = {g: c if n == order or g[0] == "<s>" else len(before[n][g]) for g, c in raw[n].items()}
        counted = np.array([sum(c == k for c in adjusted[n].values()) for k in range(5)])
        amount[n] = (0, *(discounts(counted) or FALLBACK))
    kept = [None, *({g for g in raw[n] if n == 1 or raw[n][g] > thresholds[n - 1]} for n in range(1, order + 1))]
    weight = {}

    def back_off(context):
        n = len(context) + 1
        inside = {g: c for g, c in adjusted[n].items() if g[:-1] == context}
        held = sum(amount[n][min(c, 3)] if g in kept[n] else c for g, c in inside.items())
        return held / sum(inside.values()) if inside else 1.0

    probability = {}
    unigrams = sum(adjusted[1].values())
    for word in words:
        if word == "<s>":
            continue
        c = adjusted[1].get((word,), 0)
        probability[word,] = (c - amount[1][min(c, 3)]) / unigrams + back_off(()) / (len(words) - 1)
    for n in range(2, order + 1):
        for gram in kept[n]:
            total = sum(c for g, c in adjusted[n].items() if g[:-1] == gram[:-1])
            c = adjusted[n][gram]
            probability[gram] = (c - amount[n][min(c, 3)]) / total + back_off(gram[:-1]) * probability[gram[1:]]
    for gram in [*probability, ("<s>",)]:
        if len(gram) < order:
            weight[gram] = back_off(gram)
    return probability, weight


def grams_of(made, words):
    probability, weight = {}, {}
    for grams, pairs in made.tables:
        for gram, (p, b) in zip(grams.tolist(), pairs.astype(float).tolist(), strict=True):
            probability[tuple(words[w] for w in gram)] = 10**p
            weight[tuple(words[w] for w in gram)] = 10**b
    return probability, weight


@pytest.mark.parametrize("order", [2, 3, 4, 5])
@pytest.mark.parametrize("thresholds", [(0,), (0, 0, 1), (0, 1, 2)])
def test_probabilities_and_weights_are_those_written_out(order, thresholds):
    ids, words = corpus()
    made = estimate(ids, len(words), order, prune=thresholds)
    full = [thresholds[min(n, len(thresholds) - 1)] for n in range(order)]
    wanted, weights = plain(SENTENCES, order, full, words)
    found, found_weights = grams_of(made, words)
    assert set(found) - {("<s>",)} == set(wanted)
    assert all(found[gram] == pytest.approx(wanted[gram], abs=1e-6) for gram in wanted)
    assert all(found_weights[gram] == pytest.approx(weights[gram], abs=1e-6) for gram in weights)


def test_discounts_by_hand():
    # n1..n4 = 8, 4, 2, 1: Y = 8 / 16; D1 = 1 - 2Y·4/8, D2 = 2 - 3Y·2/4, D3 = 3 - 4Y·1/2
    assert discounts(np.array([0, 8, 4, 2, 1])) == pytest.approx((0.5, 1.25, 2.0))
    assert discounts(np.array([0, 8, 4, 2, 0])) is None
    assert discounts(np.array([0, 9, 1, 9, 1])) is None


def test_two_sentences_by_hand():
    """`a`, `a b` as bigrams: every discount falls back to 0.5, 1, 1.5.

    Adjusted unigrams: a 1 (after <s>), b 1, </s> 2 (after a, b): Σ 4, discounted 0.5 + 0.5 + 1; 4 words share 2/4.
    After a: b once, </s> once.
    """
    ids, words = corpus(["a", "a b"])
    made = estimate(ids, len(words), 2)
    found, weights = grams_of(made, words)
    assert made.fallbacks == (1, 2)
    assert found["a",] == pytest.approx(0.5 / 4 + 0.5 / 4, abs=1e-6)
    assert found["</s>",] == pytest.approx(1 / 4 + 0.5 / 4, abs=1e-6)
    assert found["<unk>",] == pytest.approx(0.5 / 4, abs=1e-6)
    assert found["a", "b"] == pytest.approx(0.5 / 2 + 0.5 * 0.25, abs=1e-6)
    assert found["<s>", "a"] == pytest.approx(1 / 2 + 0.5 * 0.25, abs=1e-6)
    assert weights["a",] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("thresholds", [(0,), (0, 0, 1)])
def test_every_context_sums_to_one(thresholds):
    ids, words = corpus()
    made = estimate(ids, len(words), 3, prune=thresholds)
    found, weights = grams_of(made, words)

    def of(gram):
        if gram in found:
            return found[gram]
        return weights.get(gram[:-1], 1.0) * of(gram[1:])

    for context in [(), *(gram for gram in found if len(gram) < 3 and gram[-1] != "</s>")]:
        assert sum(of((*context, word)) for word in words if word != "<s>") == pytest.approx(1, abs=1e-5)


def test_little_memory_gives_the_same_bytes():
    rng = np.random.default_rng(5)
    sentences = [" ".join(f"w{n}" for n in rng.zipf(1.5, 8) if n < 300) for _ in range(900)]
    ids, words = corpus(sentences)
    one, many = estimate(ids, len(words), 4), estimate(ids, len(words), 4, memory=1)
    for (grams, pairs), (other, other_pairs) in zip(one.tables, many.tables, strict=True):
        assert grams.tobytes() == other.tobytes() and pairs.tobytes() == other_pairs.tobytes()
