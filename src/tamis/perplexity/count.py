"""Counting n-grams: windows of token ids sorted by their last words, and one pass that reads off every order.

After Heafield et al. 2013, P13-2121: sorted so that what shares its last k words stands together, n-grams of all
orders, their counts, and how many words each is preceded by come from one scan. We keep a window in 128 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.text.kernel import kernel

# Numbers of words, as in an NgramModel; 0 doubles as "no word" before <s>, so windows hold numbers one higher.
UNKNOWN, BEGIN, END = 0, 1, 2

Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]

_DIGIT_BITS = 16
_ZERO = np.uint64(0)
_ONE = np.uint64(1)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The n-grams of one order ending in some words, sorted by last word, then the one before, and so on.

    `grams` has shape (n, order), first word first; `raw` counts occurrences; `adjusted` is what Kneser–Ney counts:
    occurrences at the highest order and after <s>, else the number of different words seen before.
    """

    grams: npt.NDArray[np.int32]
    raw: Counts
    adjusted: Counts


def word_bits(words: int) -> int:
    """Return the bits a window needs for each word."""
    return int(words).bit_length()


@kernel
def windows(ids: Any, order: Any, bits: Any, low: Any, high: Any, heads: Any, tails: Any) -> Any:
    """Write the windows of `order` words whose last is in [low, high); returns how many.

    `ids` is a text of sentences, each begun by <s> and ended by </s>. The last word stands in the highest of the
    order * bits bits that `heads` and `tails` hold between them, the word before it below, and so on.
    """
    count = 0
    start = 0
    for index in range(len(ids)):
        if ids[index] == 1:
            start = index
            continue
        if not low <= ids[index] < high:
            continue
        head, tail = _ZERO, _ZERO
        for back in range(order):
            word = np.uint64(ids[index - back] + 1) if index - back >= start else _ZERO
            head, tail = _shifted(head, tail, np.uint64(bits))
            tail |= word
        heads[count] = head
        tails[count] = tail
        count += 1
    return count


@kernel
def _shifted(head: Any, tail: Any, bits: Any) -> Any:
    return (head << bits) | (tail >> (np.uint64(64) - bits)), tail << bits


@kernel
def sort(heads: Any, tails: Any, width: Any) -> Any:
    """Sort windows of `width` bits in place, by a radix sort that leaves out digits that are all alike."""
    size = len(heads)
    other_heads, other_tails = np.empty_like(heads), np.empty_like(tails)
    one, two, three, four = heads, tails, other_heads, other_tails
    passes = (width + 15) // 16
    swapped = False
    for digit in range(passes):
        places = np.zeros((1 << 16) + 1, np.int64)
        high = digit >= 4
        shift = np.uint64((digit % 4) * 16)
        for index in range(size):
            value = one[index] if high else two[index]
            places[((value >> shift) & np.uint64(0xFFFF)) + _ONE] += 1
        if places.max() == size:
            continue
        for index in range(1, len(places)):
            places[index] += places[index - 1]
        for index in range(size):
            value = one[index] if high else two[index]
            bucket = (value >> shift) & np.uint64(0xFFFF)
            place = places[bucket]
            three[place] = one[index]
            four[place] = two[index]
            places[bucket] = place + 1
        one, two, three, four = three, four, one, two
        swapped = not swapped
    if swapped:
        heads[:] = one
        tails[:] = two


@kernel
def word_at(head: Any, tail: Any, place: Any, order: Any, bits: Any) -> Any:
    """Return the word `place` before the last of a window, 0 for none, as windows number them."""
    shift = (order - 1 - place) * bits
    mask = (_ONE << np.uint64(bits)) - _ONE
    if shift >= 64:
        return np.int64((head >> np.uint64(shift - 64)) & mask)
    value = tail >> np.uint64(shift)
    if shift + bits > 64:
        value |= head << np.uint64(64 - shift)
    return np.int64(value & mask)


@kernel
def sizes(heads: Any, tails: Any, order: Any, bits: Any) -> Any:
    """Return how many n-grams of each order sorted windows hold, shape (order,)."""
    found = np.zeros(order, np.int64)
    for index in range(len(heads)):
        for place in range(_shared(heads, tails, index, order, bits), order):
            if word_at(heads[index], tails[index], place, order, bits) == 0:
                break
            found[place] += 1
    return found


@kernel
def _shared(heads: Any, tails: Any, index: Any, order: Any, bits: Any) -> Any:
    """Return how many last words a window shares with the one before it; `order` where the two are equal."""
    if index == 0:
        return 0
    if heads[index] == heads[index - 1] and tails[index] == tails[index - 1]:
        return order
    place = 0
    while word_at(heads[index], tails[index], place, order, bits) == word_at(
        heads[index - 1], tails[index - 1], place, order, bits
    ):
        place += 1
    return place


@kernel
def fill(heads: Any, tails: Any, order: Any, length: Any, bits: Any, grams: Any, raw: Any, adjusted: Any) -> Any:
    """Write the n-grams of `length` words in sorted windows of `order`: words, occurrences, adjusted counts."""
    row = -1
    for index in range(len(heads)):
        shared = _shared(heads, tails, index, order, bits)
        if word_at(heads[index], tails[index], length - 1, order, bits) == 0:
            continue
        if shared < length:
            row += 1
            for place in range(length):
                grams[row, length - 1 - place] = word_at(heads[index], tails[index], place, order, bits) - 1
            raw[row] = 0
            adjusted[row] = 0
        raw[row] += 1
        if length == order or grams[row, 0] == 1 or shared <= length:
            adjusted[row] += 1


def tables(heads: Keys, tails: Keys, order: int, bits: int) -> list[Table]:
    """Return the tables of orders 1 to `order` of windows, which are sorted in place."""
    sort(heads, tails, order * bits)
    found = []
    for length, size in enumerate(sizes(heads, tails, order, bits).tolist(), 1):
        table = Table(np.empty((size, length), np.int32), np.empty(size, np.int64), np.empty(size, np.int64))
        fill(heads, tails, order, length, bits, table.grams, table.raw, table.adjusted)
        found.append(table)
    return found
