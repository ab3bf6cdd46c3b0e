"""A few fixed ASCII phrases sought in lines, whatever their case: C4's list of what marks a line as no prose.

Each phrase is tried only where its rarest letter stands, so that most bytes cost one look into a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.text.inline import inlined

# Letters of English from rare to frequent: where to look for a phrase first.
_RARE_FIRST = "zqxjkvbpygfwmucldrhsnioate"


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases for a kernel: `texts` (n, width) of lower-case bytes, `sizes`, `anchors` (place of the rarest letter).

    `first[byte]` is the first phrase (counted from 1, in either case) whose rarest letter is that byte, 0 for none;
    `following[phrase - 1]` the next such phrase.
    """

    texts: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int64]
    anchors: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    following: npt.NDArray[np.int64]

    @classmethod
    def of(cls, phrases: Sequence[str]) -> Phrases:
        """Return the tables of some phrases of ASCII letters and spaces."""
        width = max((len(phrase) for phrase in phrases), default=1)
        texts, sizes = np.zeros((len(phrases), width), np.uint8), np.array([len(p) for p in phrases], np.int64)
        anchors, first = np.zeros(len(phrases), np.int64), np.zeros(256, np.int64)
        following = np.zeros(len(phrases), np.int64)
        for number, phrase in enumerate(phrases):
            texts[number, : len(phrase)] = np.frombuffer(phrase.lower().encode("ascii"), np.uint8)
            rarest = min((letter for letter in phrase.lower() if letter.isascii()), key=_rank)
            anchors[number] = phrase.lower().index(rarest)
            following[number] = first[ord(rarest)]
            first[ord(rarest)] = first[ord(rarest.upper())] = number + 1
        return cls(texts, sizes, anchors, first, following)

    def arrays(self) -> tuple[npt.NDArray[Any], ...]:
        """Return the tables in the order in which `find` takes them."""
        return self.texts, self.sizes, self.anchors, self.first, self.following


@inlined
def find(data: Any, start: Any, end: Any, texts: Any, sizes: Any, anchors: Any, first: Any, following: Any) -> Any:
    """Return a bit set of the phrases that stand in data[start:end]: bit n for phrase n."""
    found = 0
    for at in range(start, end):
        number = first[data[at]]
        while number:
            number -= 1
            begin, size = at - anchors[number], sizes[number]
            if begin >= start and begin + size <= end:
                place = 0
                while place < size:
                    byte = data[begin + place]
                    if byte + 32 * (65 <= byte <= 90) != texts[number, place]:
                        break
                    place += 1
                if place == size:
                    found |= 1 << number
            number = following[number]
    return found


def _rank(letter: str) -> int:
    return _RARE_FIRST.find(letter) if letter in _RARE_FIRST else len(_RARE_FIRST)
