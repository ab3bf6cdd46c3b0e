"""The language of documents: scripts first, then a model's votes over windows, then doubt where doubt is due."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pyarrow as pa

from tamis import errors
from tamis.columns import as_text, byte_lengths
from tamis.langid import boilerplate, codes, script
from tamis.langid import model as models
from tamis.langid.decide import Answer, Doubt, decide
from tamis.langid.groups import Policies, answers, group_of
from tamis.langid.votes import Voter
from tamis.langid.windows import windows

# Raised whenever the same text and model could get another answer.
VERSION = 3

IDENTIFIED = pa.struct(
    [
        pa.field("language", pa.large_string(), nullable=False),  # iso639-3_Script, und_<Script> or und
        pa.field("score", pa.float32(), nullable=False),  # probability of that language over the letters seen
        pa.field("share", pa.float32(), nullable=False),  # share of the letters seen that voted for it
        pa.field("rival", pa.large_string()),  # the next best language, null where there is none
        pa.field("rival_score", pa.float32(), nullable=False),
        pa.field("second_language", pa.large_string()),  # of a document in two languages, else null
        pa.field("second_share", pa.float32(), nullable=False),  # share of the letters seen that voted for that
        pa.field("cantonese_share", pa.float32(), nullable=False),  # of Han characters, those only Cantonese uses
    ]
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much of a document is looked at.

    `first` windows of `letters` letters each; `more` of them where those few disagree or doubt.
    """

    first: int = 3
    more: int = 12
    letters: int = 100


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
    def fingerprint(self) -> str:
        """Hash of everything the answers depend on: code version, model bytes, options."""
        parts = [VERSION, self.file.sha256, asdict(self.sampling), asdict(self.doubt)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def languages(self) -> frozenset[str]:
        """Every code `identify` can answer with, apart from `und` ones."""
        found = models.load(self.file).languages | {boilerplate.BOILERPLATE, boilerplate.CODE}
        chinese = any(codes.language_of(code) == "cmn" for code in found)
        return found | {"cmn_Hans", "cmn_Hant", "yue_Hans", "yue_Hant"} if chinese else found

    def require(self, languages: Sequence[str], policies: Policies = "separate") -> list[str]:
        """Return `languages` resolved to codes.

        Raises:
            UnknownNameError: one is unknown, or can never be the answer of this model under `policies` for confusable
                languages.
        """
        possible = answers(self.languages, policies)
        resolved = [codes.resolve(language) for language in languages]
        for given, code in zip(languages, resolved, strict=True):
            if code in possible or codes.language_of(code) == codes.UNDETERMINED:
                continue
            if group_of(code) in possible:
                raise errors.UnknownNameError(
                    f"The policy for confusable languages makes one of {code} and others (asked for as {given!r}).",
                    f"Ask for {group_of(code)}, or keep that group separate.",
                )
            raise errors.UnknownNameError(
                f"The model {self.file.path} cannot answer {code} (asked for as {given!r}).",
                errors.nearest(code, possible),
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
        return _struct(_unmasked(texts, answers))

    def _look(self, texts: pa.LargeStringArray, count: int) -> list[Answer]:
        seen = windows(texts, count, self.sampling.letters, words_only=True)
        votes = Voter.of(models.load(self.file)).votes(seen)
        names = script.names()
        starts = np.searchsorted(seen.document, np.arange(len(texts) + 1)).tolist()
        written, shares = (column.tolist() for column in script.dominant(seen.totals))
        han = script.han_characters(seen.totals).tolist()
        return [
            decide(
                votes[starts[row] : starts[row + 1]],
                names[written[row]],
                shares[row],
                seen.evidence[row],
                han[row],
                self.doubt,
            )
            for row in range(len(texts))
        ]


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


def _unmasked(texts: pa.LargeStringArray, answers: list[Answer]) -> list[Answer]:
    """The answers with those of short texts that are boilerplate or code replaced, their language being the rival."""
    short = np.flatnonzero(byte_lengths(texts) <= boilerplate.MOST_BYTES).tolist()
    asked = [row for row in short if answers[row].language[:3] not in (codes.UNDETERMINED, codes.NOT_LANGUAGE)]
    for row, text in zip(asked, texts.take(pa.array(asked, pa.int64())).to_pylist(), strict=True):
        if found := boilerplate.found(text):
            code, share = found
            before = answers[row]
            answers[row] = replace(
                before, language=code, score=share, share=share, rival=before.language, rival_score=1 - share
            )
    return answers


def _struct(answers: list[Answer]) -> pa.StructArray:
    columns = [
        pa.array([answer.language for answer in answers], pa.large_string()),
        pa.array([answer.score for answer in answers], pa.float32()),
        pa.array([answer.share for answer in answers], pa.float32()),
        pa.array([answer.rival for answer in answers], pa.large_string()),
        pa.array([answer.rival_score for answer in answers], pa.float32()),
        pa.array([answer.second for answer in answers], pa.large_string()),
        pa.array([answer.second_share for answer in answers], pa.float32()),
        pa.array([answer.cantonese for answer in answers], pa.float32()),
    ]
    return pa.StructArray.from_arrays(columns, fields=list(IDENTIFIED))
