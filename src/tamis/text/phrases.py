"""A few fixed ASCII phrases sought in lines, whatever their case: C4's list of what marks a line as no prose.

Each phrase is tried only where its rarest two neighbours stand, so that most bytes cost one look into a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.text.kernel import proven_kernel

# Letters of English from rare to frequent: where to look for a phrase first.
_RARE_FIRST = "zqxjkvbpygfwmucldrhsnioate"


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases for a kernel: `texts` (n, width) of lower-case bytes, `sizes`, `anchors` (place of the rarest pair).

    `first[byte + 256 * next byte]` is the first phrase (counted from 1, in any case) whose rarest pair that is, 0 for
    none; `following[phrase - 1]` the next such phrase. A phrase of one sign is found whatever follows it.
    """

    texts: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int64]
    anchors: npt.NDArray[np.int64]
    first: npt.NDArray[np.uint8]
    following: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, phrases: Sequence[str]) -> Phrases:
        """Return the tables of at most 63 phrases of ASCII letters, signs and spaces, none of them empty."""
        width, count = max(map(len, phrases), default=1), len(phrases)
        texts, sizes = np.zeros((count, width), np.uint8), np.array([len(p) for p in phrases], np.int64)
        anchors, first, following = np.zeros(count, np.int64), np.zeros(1 << 16, np.uint8), np.zeros(count, np.uint8)
        # Those of one sign come last: they end the chains of all pairs that begin with it.
        for number in sorted(range(count), key=lambda number: -len(phrases[number])):
            phrase = phrases[number].lower()
            texts[number, : len(phrase)] = np.frombuffer(phrase.encode("ascii"), np.uint8)
            anchors[number] = _rarest_pair(phrase)
            for pair in _pairs(phrase[anchors[number] :]):
                _append(first, following, pair, number + 1)
        return cls(texts, sizes, anchors, first, following)

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """Return the tables in the order in which `find` takes them."""
        return self.texts, self.sizes, self.anchors, self.first, self.following


@proven_kernel
def find(data: Any, start: Any, end: Any, texts: Any, sizes: Any, anchors: Any, first: Any, following: Any) -> Any:
    """Return a bit set of the phrases that stand in data[start:end]: bit n for phrase n.

    Unchecked: `at` and what is compared lie in data[start:end], two bytes make an index below 2**16, and the tables
    name no phrase but their own.
    """
    part, found = data[start:end], 0
    for at in range(len(part)):
        pair = np.int64(part[at])
        if at + 1 < len(part):
            pair += np.int64(part[at + 1]) << 8
        number: Any = np.int64(first[pair])
        while number:
            number -= 1
            begin, size = at - anchors[number], sizes[number]
            if begin >= 0 and begin + size <= len(part):
                place = 0
                while place < size:
                    byte = np.int64(part[begin + place])
                    if byte + 32 * (65 <= byte <= 90) != texts[number, place]:
                        break
                    place += 1
                if place == size:
                    found |= 1 << number
            number = np.int64(following[number])
    return found


def _pairs(text: str) -> list[int]:
    """Return the indices of what `text` may begin with: two bytes in either case, or one and whatever follows."""
    cases = [sorted({ord(letter), ord(letter.upper())}) for letter in text[:2]]
    return [one + (other << 8) for one, other in product(cases[0], cases[1] if len(cases) > 1 else range(256))]


def _append(first: npt.NDArray[np.uint8], following: npt.NDArray[np.uint8], pair: int, number: int) -> None:
    """Put a phrase at the end of a pair's chain, unless it is there: pairs that differ in case share theirs."""
    at = int(first[pair])
    if at == 0:
        first[pair] = number
        return
    while following[at - 1]:
        at = int(following[at - 1])
    if at != number:
        following[at - 1] = number


def _rarest_pair(phrase: str) -> int:
    """Return where the two neighbours begin that are rarest in English; a phrase of one sign has none but itself."""
    return min(range(max(len(phrase) - 1, 1)), key=lambda at: sum(map(_rank, phrase[at : at + 2])))


def _rank(letter: str) -> int:
    return _RARE_FIRST.find(letter) if letter in _RARE_FIRST else len(_RARE_FIRST)
