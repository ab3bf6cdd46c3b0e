"""Normalisers: the rewriting of a line that a language model was trained on, and must be asked with.

`Normaliser()` is CCNet's (Wenzek et al. 2020, arXiv 1911.00359, `cc_net/text_normalizer.py`), rule for rule: strip,
lower case, NFD without nonspacing marks, one 0 per decimal digit, its punctuation map (its slip for "１" included),
control characters out. We differ in how: every rule but three looks at one character at a time, so they are one table
over code points, and a line goes to the rules written out (`plain`) only where one of the three could speak.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

# Nothing above needs a rule but variation selectors (nonspacing marks), which have a block of their own.
_LAST = 0x30000
_SELECTORS = range(0xE0100, 0xE01F0)

_DIGIT = re.compile(r"\d")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SIGMA = "Σ"


@dataclass(frozen=True, slots=True)
class Normaliser:
    """What is done to a line before it is cut into pieces; the defaults are CCNet's.

    `join_lines` takes a document for a single line, as `cc_net/mine.py` did: its control-character rule removed the
    line feeds before scoring, and fused the words around them.
    """

    lower: bool = True
    strip_accents: bool = True
    zero_digits: bool = True
    punctuation: bool = True
    strip_control: bool = True
    join_lines: bool = False

    def plain(self, line: str) -> str:
        """Return a line normalised, by the rules written out; what the kernel must agree with."""
        line = line.strip()
        return self._rules(line.lower() if self.lower else line)

    def _rules(self, line: str) -> str:
        if self.strip_accents:
            line = "".join(c for c in unicodedata.normalize("NFD", line) if unicodedata.category(c) != "Mn")
        if self.zero_digits:
            line = _DIGIT.sub("0", line)
        if self.punctuation:
            mapped = punctuation()
            line = "".join(mapped.get(c, c) for c in line)
        return _CONTROL.sub("", line) if self.strip_control else line

    def lines(self, text: str) -> list[str]:
        """Return a document's lines, normalised."""
        if self.join_lines:
            return [self.plain(text)]
        return [self.plain(line) for line in text.split("\n")]


@lru_cache(maxsize=1)
def punctuation() -> Mapping[str, str]:
    """Return CCNet's map of punctuation."""
    text = files("tamis.perplexity").joinpath("data", "punctuation.tsv").read_text(encoding="utf-8")
    rows = csv.reader(text.splitlines()[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row[0]: row[1] for row in rows}


PRESETS: Mapping[str, Normaliser] = {
    "ccnet": Normaliser(),
    "light": Normaliser(lower=False, strip_accents=False),
}

# Classes of code points, of which a table has one each.
PLAIN, SPACE, SLOW = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class CodeTable:
    """A normaliser as arrays. Code point c becomes the bytes `out[starts[c]:starts[c + 1]]`; `kind[c]` says whether
    `str.strip` takes it (SPACE), or whether a line that has it needs the rules written out (SLOW)."""

    starts: npt.NDArray[np.int32]
    out: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]


@lru_cache(maxsize=4)
def code_table(normaliser: Normaliser) -> CodeTable:
    """Return the table of a normaliser, made from its own rules in about half a second."""
    starts = np.zeros(_LAST + 1, np.int32)
    kind = np.zeros(_LAST, np.uint8)
    pieces: list[bytes] = []
    size = 0
    for code in range(_LAST):
        if 0xD800 <= code < 0xE000:
            piece = b"\xef\xbf\xbd"
        else:
            char = chr(code)
            if char.isspace():
                kind[code] = SPACE
            elif _is_contextual(normaliser, char):
                kind[code] = SLOW
            piece = normaliser._rules(char.lower() if normaliser.lower else char).encode()
        pieces.append(piece)
        size += len(piece)
        starts[code + 1] = size
    return CodeTable(starts, np.frombuffer(b"".join(pieces), np.uint8), kind)


def _is_contextual(normaliser: Normaliser, char: str) -> bool:
    """Say whether a character's rules look at its neighbours.

    These are Σ, whose lower case depends on its place in the word, and marks that NFD reorders but nothing removes.
    """
    if normaliser.lower and char == _SIGMA:
        return True
    return normaliser.strip_accents and any(
        unicodedata.combining(c) and unicodedata.category(c) != "Mn" for c in unicodedata.normalize("NFD", char)
    )
