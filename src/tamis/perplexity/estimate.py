"""Interpolated modified Kneser–Ney: from counted n-grams to probabilities and back-off weights.

Chen and Goodman 1998 (TR-10-98, section 4), as lmplz does it (Heafield et al. 2013, P13-2121): adjusted counts, three
discounts an order, unigrams interpolated with the uniform distribution, pruned n-grams left out but their mass handed
to the back-off. We differ in falling back to fixed discounts by ourselves, order by order, where a corpus is too
small for its own, and in saying so (`Estimate.fallbacks`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.perplexity.count import BEGIN, Counts, Table, tables, windows, word_bits
from tamis.perplexity.ngrams import START, Floats, Words, find, insert, mixed
from tamis.text.kernel import kernel

# What lmplz takes with --discount_fallback.
FALLBACK = (0.5, 1.0, 1.5)
# A window, its copy while it is sorted, and its n-grams of all orders with their counts: bytes per token and order.
_BYTES_PER_TOKEN = 32
_BYTES_PER_TOKEN_AND_ORDER = 44
_LOG_ZERO = -99.0  # ARPA's for <s>, which is never predicted

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """N-grams by order, each (words of shape (n, order), log10 pairs of shape (n, 2)), as `ngrams.hash_table` takes
    them; `discounts` by order for adjusted counts 1, 2, and 3 and more; `fallbacks`, the orders that had none."""

    tables: tuple[tuple[Words, Floats], ...]
    discounts: tuple[tuple[float, float, float], ...]
    fallbacks: tuple[int, ...]


@dataclass(slots=True)
class _Order:
    """What is known of one order's surviving n-grams: their words, and a slot each for what is summed over those that
    extend them: total, pruned and discounted mass."""

    grams: Words
    keys: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int64]
    sums: Doubles


def estimate(
    ids: npt.NDArray[np.int32], words: int, order: int = 5, *, prune: Sequence[int] = (), memory: int = 4 << 30
) -> Estimate:
    """Return the model of a text: sentences of word numbers, each begun by <s> (1) and ended by </s> (2).

    `words` is how many numbers there are, <unk> (0) included. `prune[k]` leaves out n-grams of order k + 1 that occur
    that often or less; the last holds for all longer ones, and unigrams are never left out. Beyond `memory` bytes,
    n-grams are counted by parts of the vocabulary, and wait on disk; the result is the same to the byte.
    """
    thresholds = [0, *(prune[min(k, len(prune) - 1)] if prune else 0 for k in range(1, order))]
    bits = word_bits(words)
    if order * bits > 128:
        raise ValueError(f"{words} words of order {order} do not fit 128 bits")
    ranges = _ranges(ids, words, order, memory)
    with _Spill(len(ranges) > 1) as spill:
        for number, (low, high, size) in enumerate(ranges):
            heads, tails = np.empty(size, np.uint64), np.empty(size, np.uint64)
            windows(ids, order, bits, low, high, heads, tails)
            spill.put(number, tables(heads, tails, order, bits))
            del heads, tails
        found = _discounts(spill, order)
        orders = _survivors(spill, order, thresholds)
        _gather(spill, orders, thresholds, found[0])
        return Estimate(_interpolated(spill, orders, thresholds, found[0], words), *found)


def _ranges(ids: npt.NDArray[np.int32], words: int, order: int, memory: int) -> list[tuple[int, int, int]]:
    """Return (low, high, windows) of ranges of last words that are counted within the memory."""
    counts = np.bincount(ids, minlength=words).astype(np.int64)
    counts[BEGIN] = 0
    limit = max(memory // (_BYTES_PER_TOKEN + _BYTES_PER_TOKEN_AND_ORDER * order), 1024)
    found, low, size = [], 0, 0
    for word, count in enumerate(counts.tolist()):
        if size and size + count > limit:
            found.append((low, word, size))
            low, size = word, 0
        size += count
    return [*found, (low, words, size)]


class _Spill:
    """Holds the tables of every range: in memory where there is but one, else on disk."""

    def __init__(self, on_disk: bool) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="tamis-ngrams-")) if on_disk else None
        self._held: list[list[Table]] = []
        self._count = 0

    def __enter__(self) -> _Spill:
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def put(self, number: int, found: list[Table]) -> None:
        """Keep the tables of one range."""
        self._count = number + 1
        if self._folder is None:
            self._held.append(found)
            return
        for length, table in enumerate(found, 1):
            for name in ("grams", "raw", "adjusted"):
                np.save(self._folder / f"{number}-{length}-{name}.npy", getattr(table, name))

    def of(self, length: int) -> Iterator[Table]:
        """Yield the tables of one order, range by range."""
        for number in range(self._count):
            if self._folder is None:
                yield self._held[number][length - 1]
            else:
                names = ("grams", "raw", "adjusted")
                yield Table(*(np.load(self._folder / f"{number}-{length}-{name}.npy") for name in names))


def _discounts(spill: _Spill, order: int) -> tuple[tuple[tuple[float, float, float], ...], tuple[int, ...]]:
    """Return the discounts of every order, and which orders had to fall back."""
    found, fallbacks = [], []
    for length in range(1, order + 1):
        counted = np.zeros(5, np.int64)
        for table in spill.of(length):
            counted += np.bincount(np.minimum(table.adjusted, 5), minlength=6)[:5]
        own = discounts(counted)
        if own is None:
            fallbacks.append(length)
        found.append(own or FALLBACK)
    return tuple(found), tuple(fallbacks)


def discounts(counted: npt.NDArray[np.int64]) -> tuple[float, float, float] | None:
    """Return the discounts of adjusted counts 1, 2 and from 3 on, or None where these counts give none in range.

    `counted[k]` is how many n-grams have the adjusted count k, for k up to 4.
    """
    one, two = float(counted[1]), float(counted[2])
    if not all(counted[1:5]):
        return None
    ratio = one / (one + 2 * two)
    found = [k - (k + 1) * ratio * float(counted[k + 1]) / float(counted[k]) for k in (1, 2, 3)]
    if any(not 0 <= value <= k for k, value in enumerate(found, 1)):
        return None
    return found[0], found[1], found[2]


def _survivors(spill: _Spill, order: int, thresholds: Sequence[int]) -> list[_Order]:
    """Return the n-grams of every order that are not pruned, those but the longest findable by key."""
    found = []
    for length in range(1, order + 1):
        parts = [table.grams[_stays(table, thresholds[length - 1])] for table in spill.of(length)]
        grams = np.concatenate(parts)
        if length == order:
            found.append(_Order(grams, np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros((0, 3))))
            continue
        if length == 1:
            grams = np.concatenate([np.array([[BEGIN]], np.int32), grams])
        slots = 1 << max(int(len(grams) * 1.5).bit_length(), 3)
        keys, rows = np.zeros(slots, np.uint64), np.zeros(slots, np.int64)
        _index(grams, keys, rows)
        found.append(_Order(grams, keys, rows, np.zeros((len(grams), 3))))
    return found


def _stays(table: Table, threshold: int) -> npt.NDArray[np.bool_]:
    return table.raw > threshold


@kernel
def _index(grams: Any, keys: Any, rows: Any) -> Any:
    for row in range(len(grams)):
        rows[insert(keys, _key(grams, row, 0, grams.shape[1]))] = row


@kernel
def _key(grams: Any, row: Any, first: Any, end: Any) -> Any:
    key = START
    for place in range(end - 1, first - 1, -1):
        key = mixed(key, grams[row, place])
    return key


def _gather(spill: _Spill, orders: list[_Order], thresholds: Sequence[int], amounts: Sequence[Sequence[float]]) -> None:
    """Sum for every n-gram what extends it: adjusted counts, those of pruned extensions, and discounts."""
    for length in range(2, len(orders) + 1):
        shorter = orders[length - 2]
        for table in spill.of(length):
            stays = _stays(table, thresholds[length - 1])
            _extend(
                table.grams,
                table.adjusted,
                stays,
                np.array(amounts[length - 1]),
                shorter.keys,
                shorter.rows,
                shorter.sums,
            )


@kernel
def _extend(grams: Any, adjusted: Any, stays: Any, amounts: Any, keys: Any, rows: Any, sums: Any) -> Any:
    last = grams.shape[1] - 1
    for row in range(len(grams)):
        slot = find(keys, _key(grams, row, 0, last))
        if slot < 0:
            continue
        context = rows[slot]
        count = adjusted[row]
        sums[context, 0] += count
        if stays[row]:
            sums[context, 2] += amounts[min(count, 3) - 1]
        else:
            sums[context, 1] += count


def _interpolated(
    spill: _Spill, orders: list[_Order], thresholds: Sequence[int], amounts: Sequence[Sequence[float]], words: int
) -> tuple[tuple[Words, Floats], ...]:
    """Return every order's n-grams with their probabilities, shorter orders first because longer ones need them."""
    found = []
    below = np.zeros(0)
    for length, here in enumerate(orders, 1):
        table = [(t.adjusted, _stays(t, thresholds[length - 1])) for t in spill.of(length)]
        adjusted = np.concatenate([counts[stays] for counts, stays in table])
        discount = np.array([0.0, *amounts[length - 1]])[np.minimum(adjusted, 3)]
        if length == 1:
            here, likely = _unigrams(here, adjusted, discount, words)
            orders[0] = here
        else:
            context = orders[length - 2]
            likely = np.empty(len(adjusted))
            _interpolate(here.grams, adjusted - discount, context.keys, context.rows, context.sums, below, likely)
        found.append((here.grams, _pairs(likely, here.sums if length < len(orders) else None)))
        below = likely
    return tuple(found)


def _unigrams(here: _Order, adjusted: Counts, discount: Doubles, words: int) -> tuple[_Order, Doubles]:
    """Return the unigrams with every word in them, and their probabilities; the uniform share counts all but <s>."""
    total = float(adjusted.sum())
    uniform = float(discount.sum()) / total / (words - 1)
    likely = np.full(words, uniform)
    likely[here.grams[1:, 0]] += (adjusted - discount) / total
    likely[BEGIN] = 10.0**_LOG_ZERO
    sums = np.zeros((words, 3))
    sums[here.grams[:, 0]] = here.sums
    keys, rows = np.zeros(1 << max(int(words * 1.5).bit_length(), 3), np.uint64), np.zeros(0, np.int64)
    rows = np.zeros(len(keys), np.int64)
    grams = np.arange(words, dtype=np.int32).reshape(-1, 1)
    _index(grams, keys, rows)
    return _Order(grams, keys, rows, sums), likely


@kernel
def _interpolate(grams: Any, discounted: Any, keys: Any, rows: Any, sums: Any, below: Any, likely: Any) -> Any:
    last = grams.shape[1] - 1
    for row in range(len(grams)):
        context = rows[find(keys, _key(grams, row, 0, last))]
        shorter = rows[find(keys, _key(grams, row, 1, last + 1))]
        total = sums[context, 0]
        weight = (sums[context, 1] + sums[context, 2]) / total
        likely[row] = discounted[row] / total + weight * below[shorter]


def _pairs(likely: Doubles, sums: Doubles | None) -> Floats:
    """Return log10 of probabilities and back-off weights; the weight of what nothing extends is 1."""
    found = np.zeros((len(likely), 2))
    found[:, 0] = np.log10(likely)
    if sums is not None:
        extended = sums[:, 0] > 0
        found[extended, 1] = np.log10((sums[extended, 1] + sums[extended, 2]) / sums[extended, 0])
    return found.astype(np.float32)
