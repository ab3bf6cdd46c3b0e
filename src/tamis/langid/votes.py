"""What a model says of each window, once scripts have had their say."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.langid import script
from tamis.langid.model import Guess, Model
from tamis.langid.quantized import Quantized
from tamis.langid.windows import Windows

# Labels whose script fits hold at least this much of a model's probability, or its opinion of the text is worthless.
LEAST_MASS = 0.01
# Guesses below this decide nothing, and most windows have three of them.
LEAST_CHANCE = 0.005
_LOOKED_AT = 4


class Vote(NamedTuple):
    """One window's letters, and the codes it may be in with their probabilities, best first; none where none fits."""

    letters: int
    guesses: list[Guess]


@dataclass(frozen=True, slots=True, eq=False)
class Voter:
    """A model and, for each script, the labels that text in it may get.

    allowed: by script name, the admitted labels and the code each stands for.
    admitted: bool of shape (scripts, labels), the same for the kernel; its rows are those of `script.names()`.
    answers: the code of each label in each script.
    """

    model: Model
    allowed: Mapping[str, Mapping[str, str]]
    quantized: Quantized | None
    admitted: npt.NDArray[np.bool_]
    answers: Mapping[tuple[int, int], str]

    @staticmethod
    @cache
    def of(model: Model) -> Voter:
        """Return the voter of a loaded model, one per process."""
        allowed = script.candidates(model.codes)
        names = script.names()
        place = {
            label: index for index, label in enumerate(model.quantized.labels if model.quantized else model.labels)
        }
        admitted = np.zeros((len(names), len(place)), np.bool_)
        answers = {}
        for row, name in enumerate(names):
            for label, code in allowed.get(name, {}).items():
                admitted[row, place[label]] = True
                answers[row, place[label]] = code
        return Voter(model, allowed, model.quantized, admitted, answers)

    def votes(self, seen: Windows) -> list[Vote]:
        """Return one vote per window."""
        written = script.dominant(seen.counts)[0]
        # An index from the end, which names letterless windows, is one that the kernel cannot use.
        kinds = written % len(script.names())
        if self.quantized:
            return self._run(self.quantized, seen, kinds)
        names = script.names()
        rows = zip(composed(seen).to_pylist(), seen.letters.tolist(), kinds.tolist(), strict=True)
        return [Vote(letters, self._guesses(text, names[kind])) for text, letters, kind in rows]

    def _run(self, model: Quantized, seen: Windows, kinds: npt.NDArray[np.int64]) -> list[Vote]:
        found, chances, mass = model.predict(composed(seen), self.admitted, kinds, _LOOKED_AT)
        weak = mass < LEAST_MASS
        alone = self.admitted[kinds].sum(axis=1) == 1
        chances /= np.maximum(mass, LEAST_MASS)[:, None]
        chances[alone, 0] = 1.0
        chances[weak & ~alone] = 0
        # One list of all guesses, then cut: most of what was looked at is too unlikely to make anything of.
        kept = chances >= LEAST_CHANCE
        counts = kept.sum(axis=1)
        answers = self.answers
        keys = zip(np.repeat(kinds, counts).tolist(), found[kept].tolist(), strict=True)
        guesses = iter([(p, answers[key]) for p, key in zip(chances[kept].tolist(), keys, strict=True)])
        return [
            Vote(letters, list(islice(guesses, count)))
            for letters, count in zip(seen.letters.tolist(), counts.tolist(), strict=True)
        ]

    def _guesses(self, text: str, written: str) -> list[Guess]:
        allowed = self.allowed.get(written)
        if not allowed:
            return []
        if len(allowed) == 1:
            # The script alone decides: nothing that a model says could change the answer.
            return [(1.0, code) for code in allowed.values()]
        for k in (_LOOKED_AT, -1):
            found = [(p, allowed[label]) for p, label in self.model.predict_one(text, k) if label in allowed]
            mass = sum([p for p, _ in found])
            if mass >= LEAST_MASS:
                return [(p / mass, code) for p, code in found[:_LOOKED_AT] if p >= LEAST_CHANCE * mass]
        return []


def composed(seen: Windows) -> pa.LargeStringArray:
    """Return the windows' texts in NFC, so that an accent typed apart from its letter changes nothing."""
    marked = np.flatnonzero(seen.marked)
    if not len(marked):
        return seen.texts
    texts = [unicodedata.normalize("NFC", text) for text in seen.texts.take(pa.array(marked)).to_pylist()]
    return pc.replace_with_mask(seen.texts, pa.array(seen.marked), pa.array(texts, pa.large_string()))
