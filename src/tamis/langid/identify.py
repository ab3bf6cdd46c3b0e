"""The language of documents: scripts first, then a model's votes over windows, then doubt where doubt is due."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import errors
from tamis.columns import as_text
from tamis.langid import codes, script
from tamis.langid import model as models
from tamis.langid.groups import group_of
from tamis.langid.windows import Windows, windows

# Raised whenever the same text and model could get another answer.
VERSION = 1

IDENTIFIED = pa.struct(
    [
        pa.field("language", pa.large_string(), nullable=False),  # iso639-3_Script, und_<Script> or und
        pa.field("score", pa.float32(), nullable=False),  # share of the letters seen, times probability, in [0, 1]
        pa.field("second_language", pa.large_string()),  # of a document in two languages, else null
        pa.field("second_share", pa.float32(), nullable=False),  # share of the letters seen that voted for it
        pa.field("cantonese_share", pa.float32(), nullable=False),  # of Han characters, those only Cantonese uses
    ]
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much of a document is looked at: `first` windows of `letters` letters, `more` of them where those disagree."""

    first: int = 3
    more: int = 16
    letters: int = 100


@dataclass(frozen=True, slots=True)
class Doubt:
    """When to abstain: below `letters` letters *and* below `margin` between the two best, step by step.

    `steps` are (letters, margin) pairs, shortest texts first.
    """

    steps: tuple[tuple[int, float], ...] = ((6, 0.98), (12, 0.9), (25, 0.7), (60, 0.4), (150, 0.15))

    def abstains(self, letters: int, margin: float) -> bool:
        """Return whether a text of so many letters with this margin is better left undetermined."""
        return any(letters < most and margin < least for most, least in self.steps)


# A second language is reported from this share of a document's windows on, where the model is this sure of them.
SECOND_SHARE = 0.15
SECOND_SURE = 0.6
# Windows that agree with at least this score need no second look.
CLEAR = 0.8
# Labels whose script fits hold at least this much of a model's probability, or its opinion of the text is worthless.
LEAST_MASS = 0.01
_LOOKED_AT = 4


class Identifier:
    """Identifies the languages of texts with one model. Cheap to pickle: it travels as a path and a checksum.

    Args:
        model: a shipped model's name or the path of a fastText `.bin` or `.ftz`.
        sampling: how much of a document is looked at.
        doubt: when to abstain.

    Raises:
        ModelError: no such file, or not a model.
        UnknownNameError: no such name.
    """

    def __init__(self, model: str = "default", sampling: Sampling | None = None, doubt: Doubt | None = None) -> None:
        self.file = models.find(model)
        self.sampling = sampling or Sampling()
        self.doubt = doubt or Doubt()

    @property
    def model(self) -> models.Model:
        """The loaded model, shared by all identifiers of this process."""
        return models.load(self.file)

    @property
    def fingerprint(self) -> str:
        """Hash of everything the answers depend on: code version, model bytes, options."""
        parts = [VERSION, self.file.sha256, asdict(self.sampling), asdict(self.doubt)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def languages(self) -> frozenset[str]:
        """Every code `identify` can answer with, apart from `und` ones."""
        found = self.model.languages
        chinese = any(codes.language_of(code) == "cmn" for code in found)
        return found | {"cmn_Hans", "cmn_Hant", "yue_Hans", "yue_Hant"} if chinese else found

    def require(self, languages: Sequence[str]) -> list[str]:
        """Return `languages` resolved to codes.

        Raises:
            UnknownNameError: one is unknown, or this model can never answer with it.
        """
        resolved = [codes.resolve(language) for language in languages]
        for given, code in zip(languages, resolved, strict=True):
            if code not in self.languages and codes.language_of(code) != codes.UNDETERMINED:
                raise errors.UnknownNameError(
                    f"The model {self.file.path} cannot answer {code} (asked for as {given!r}).",
                    errors.nearest(code, self.languages),
                )
        return resolved

    def identify(self, texts: pa.LargeStringArray) -> pa.StructArray:
        """Return one `IDENTIFIED` struct per text, in order; a null or letterless text is `und` with score 0."""
        texts = as_text(texts)
        answers = self._look(texts, self.sampling.first)
        unclear = [row for row, answer in enumerate(answers) if not answer.clear]
        if unclear:
            second = self._look(texts.take(pa.array(unclear, pa.int64())), self.sampling.more)
            for row, answer in zip(unclear, second, strict=True):
                answers[row] = answer
        return _struct(answers)

    def _look(self, texts: pa.LargeStringArray, count: int) -> list[_Answer]:
        seen = windows(texts, count, self.sampling.letters)
        votes = self._votes(seen)
        starts = np.searchsorted(seen.document, np.arange(len(texts) + 1))
        return [
            _decide(votes[starts[row] : starts[row + 1]], seen.totals[row], seen.evidence[row], self.doubt)
            for row in range(len(texts))
        ]

    @cached_property
    def _candidates(self) -> dict[str, dict[str, str]]:
        return script.candidates(self.model.codes)

    def _votes(self, seen: Windows) -> list[_Vote]:
        texts = seen.texts.to_pylist()
        return [
            self._vote(text, int(letters), counts)
            for text, letters, counts in zip(texts, seen.letters, seen.counts, strict=True)
        ]

    def _vote(self, text: str, letters: int, counts: npt.NDArray[np.int32]) -> _Vote:
        written, _ = script.dominant(counts)
        allowed = self._candidates.get(written, {})
        if len(allowed) < 2:
            return _Vote(letters, written, [(1.0, code) for code in allowed.values()])
        line = unicodedata.normalize("NFC", text)
        for k in (_LOOKED_AT, -1):
            guesses = [(p, allowed[label]) for p, label in self.model.predict([line], k)[0] if label in allowed]
            mass = sum(p for p, _ in guesses)
            if mass >= LEAST_MASS:
                return _Vote(letters, written, [(p / mass, code) for p, code in guesses[:_LOOKED_AT]])
        return _Vote(letters, written, [])

    def __getstate__(self) -> dict[str, object]:
        return {"file": self.file, "sampling": self.sampling, "doubt": self.doubt}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)


def identify(texts: Sequence[str | None] | pa.Array, *, model: str = "default") -> pa.StructArray:
    """Return the language of each text: a struct array with `language`, `score` and the rest of `IDENTIFIED`.

    `language` is `iso639-3_Script`, `und_<Script>` where there is too little to go by, and `und` where there are no
    letters; `score` (float32, [0, 1]) is the probability of that language, over the letters looked at. Nulls, empty
    texts, NUL and lone surrogates are answered like any other text; n texts give n answers in order.

    Raises:
        ModelError: `model` is a path without a usable model.
        UnknownNameError: `model` is no shipped model's name.
    """
    return Identifier(model).identify(as_text(texts))


@dataclass(frozen=True, slots=True)
class _Vote:
    letters: int
    script: str
    guesses: list[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class _Answer:
    language: str
    score: float
    second: str | None
    second_share: float
    cantonese: float
    clear: bool


def _decide(
    votes: list[_Vote], totals: npt.NDArray[np.int32], evidence: npt.NDArray[np.int32], doubt: Doubt
) -> _Answer:
    letters = sum(vote.letters for vote in votes)
    if not letters:
        return _Answer(codes.UNDETERMINED, 0.0, None, 0.0, 0.0, True)
    tally: dict[str, float] = {}
    for vote in votes:
        for p, code in vote.guesses:
            tally[code] = tally.get(code, 0.0) + p * vote.letters / letters
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    written, share = script.dominant(totals)
    han = int(totals[script.tables().names.index("Hani")])
    cantonese = int(evidence[2]) / han if han else 0.0
    if not ranked:
        return _Answer(script.undetermined(written), 0.0, None, 0.0, cantonese, True)
    best, score = ranked[0]
    rival = next((value for code, value in ranked[1:] if group_of(code) != group_of(best)), 0.0)
    clear = score - rival >= CLEAR and share >= 0.9
    simplified, traditional, colloquial = (int(value) for value in evidence[:3])
    if codes.script_of(best) in codes.HAN_FORMS:
        best = script.chinese(best, simplified, traditional, colloquial, han)
    second, second_share = _second(votes, best, letters)
    if doubt.abstains(letters, score - rival):
        return _Answer(script.undetermined(written), score, second, second_share, cantonese, clear)
    return _Answer(best, min(1.0, score), second, second_share, cantonese, clear)


def _second(votes: list[_Vote], best: str, letters: int) -> tuple[str | None, float]:
    """The other language that enough windows are surely in, and its share of the letters."""
    shares: dict[str, float] = {}
    for vote in votes:
        if vote.guesses and vote.guesses[0][0] >= SECOND_SURE:
            code = vote.guesses[0][1]
            shares[code] = shares.get(code, 0.0) + vote.letters / letters
    others = [
        (share, code)
        for code, share in shares.items()
        if group_of(code) != group_of(best)
        and codes.language_of(code) not in (codes.NOT_LANGUAGE, codes.language_of(best))
    ]
    share, code = min(((-share, code) for share, code in others), default=(0.0, ""))
    return (code, -share) if -share >= SECOND_SHARE else (None, 0.0)


def _struct(answers: list[_Answer]) -> pa.StructArray:
    columns = [
        pa.array([answer.language for answer in answers], pa.large_string()),
        pa.array([answer.score for answer in answers], pa.float32()),
        pa.array([answer.second for answer in answers], pa.large_string()),
        pa.array([answer.second_share for answer in answers], pa.float32()),
        pa.array([answer.cantonese for answer in answers], pa.float32()),
    ]
    return pa.StructArray.from_arrays(columns, fields=list(IDENTIFIED))
