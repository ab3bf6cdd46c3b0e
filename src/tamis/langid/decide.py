"""From the votes of a document's windows to one answer, or to doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.langid import codes, script
from tamis.langid.groups import group_of
from tamis.langid.votes import Vote

# A second language is reported from this share of a document's letters on, where the model is this sure of them.
SECOND_SHARE = 0.15
SECOND_SURE = 0.6
# Windows that agree by at least this margin need no second look, nor where one script has this share of the letters.
CLEAR_MARGIN = 0.7
CLEAR_SHARE = 0.9
# Code, markup and noise name a document only where no more than this share of it is in a language, and where the model
# is this sure of it: lists of products and titles look a little like code.
LANGUAGE_SHARE = 0.2
NONSENSE_SURE = 0.85
# English stands on pages of every language, as menus, names and notices. Where another language has as much of the text
# but for this share, the page is in that one.
LINGUA_FRANCA, ITS_LEAD = "eng_Latn", 0.1
# From so many letters on, a rival of the same confusable group is no reason to abstain: policies see to those.
CONFUSABLE_LETTERS = 25

# Mandarin and Cantonese in either form compete as one; which of them it is, characters tell better.
_ONE_CHINESE = {f"{language}_{form}": "cmn_Hans" for language in ("cmn", "yue") for form in codes.HAN_FORMS}


@dataclass(frozen=True, slots=True)
class Doubt:
    """When to abstain: below so many letters *and* below a margin between the best answer and its best rival.

    `steps` are (letters, margin) pairs, shortest texts first; no margin is as large as 1.01.
    """

    steps: tuple[tuple[int, float], ...] = ((6, 1.01), (17, 0.9), (25, 0.8), (50, 0.3), (120, 0.1))

    def abstains(self, letters: int, margin: float) -> bool:
        """Return whether a text of so many letters with this margin is better left undetermined."""
        return any(letters < most and margin < least for most, least in self.steps)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one document; `clear` where a second look would not change it."""

    language: str
    score: float
    share: float = 0.0
    rival: str | None = None
    rival_score: float = 0.0
    second: str | None = None
    second_share: float = 0.0
    cantonese: float = 0.0
    clear: bool = True


def decide(
    votes: Sequence[Vote], written: str, share: float, evidence: npt.NDArray[np.int32], han: int, doubt: Doubt
) -> Answer:
    """Return the answer for one document.

    Args:
        votes: of its windows.
        written, share: the script most of its letters are in, and their share.
        evidence, han: its Han characters of one written form alone, and all of them.
        doubt: when to abstain.
    """
    tally, letters = _tally(votes)
    cantonese = int(evidence[script.CANTONESE]) / han if han else 0.0
    if written == "Hani" and evidence[script.NOT_JAPANESE] > script.FOREIGN_SHARE * han and len(tally) > 1:
        tally.pop("jpn_Jpan", None)
    if not tally:
        return Answer(script.undetermined(written), 0.0, cantonese=cantonese)
    ranked = _ranked(tally)
    best, score = ranked[0]
    rival, chance = ranked[1] if len(ranked) > 1 else (None, 0.0)
    clear = score - chance >= CLEAR_MARGIN and share >= CLEAR_SHARE
    own, second, second_share = (1.0, None, 0.0) if clear else _shares(votes, best)
    if best == LINGUA_FRANCA and second and score - tally[second] < ITS_LEAD:
        best, score, rival, chance = second, tally[second], best, score
        own, second, second_share = _shares(votes, best)
    if doubt.abstains(letters, score - _contested(ranked, letters)):
        best = script.undetermined(written)
    elif codes.script_of(best) in codes.HAN_FORMS:
        best = script.chinese(codes.language_of(best), _form(votes), evidence, han)
    return Answer(best, min(1.0, score), own, rival, chance, second, second_share, cantonese, clear)


def _contested(ranked: Sequence[tuple[str, float]], letters: int) -> float:
    """The probability that speaks against the best code."""
    home = group_of(ranked[0][0]) if letters >= CONFUSABLE_LETTERS else None
    return next((p for code, p in ranked[1:] if group_of(code) != home), 0.0)


def _tally(votes: Sequence[Vote]) -> tuple[dict[str, float], int]:
    """Probability of each code over the letters of the windows that count, and the number of those letters."""
    letters = sum([vote.letters for vote in votes])
    nonsense = [_is_nonsense(vote) for vote in votes]
    if any(nonsense):
        language = [vote for vote, is_nonsense in zip(votes, nonsense, strict=True) if not is_nonsense]
        prose = sum([vote.letters for vote in language])
        # A manual full of code is still in English, and a page of tables in whatever its sentences are.
        if prose >= LANGUAGE_SHARE * letters:
            votes, letters = language, prose
    tally: dict[str, float] = {}
    for vote in votes:
        part = vote.letters / letters
        for p, code in vote.guesses:
            code = _ONE_CHINESE.get(code, code)
            tally[code] = tally.get(code, 0.0) + p * part
    return tally, letters


def _ranked(tally: dict[str, float]) -> list[tuple[str, float]]:
    """Codes by probability, best first; what is only perhaps no language is one of the languages it may be."""
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    if ranked[0][0][:3] != codes.NOT_LANGUAGE or ranked[0][1] >= NONSENSE_SURE:
        return ranked
    languages = [(code, p) for code, p in ranked if code[:3] != codes.NOT_LANGUAGE]
    mass = sum([p for _, p in languages])
    return [(code, p / mass) for code, p in languages] if mass >= 1 - NONSENSE_SURE else ranked


def _is_nonsense(vote: Vote) -> bool:
    if not vote.guesses:
        return False
    p, code = vote.guesses[0]
    return p >= NONSENSE_SURE and code[:3] == codes.NOT_LANGUAGE


def _form(votes: Sequence[Vote]) -> str:
    """The form of Chinese writing that the model's guesses favour."""
    traditional = sum(vote.letters * p for vote in votes for p, code in vote.guesses if code.endswith("Hant"))
    simplified = sum(vote.letters * p for vote in votes for p, code in vote.guesses if code.endswith("Hans"))
    return "Hant" if traditional > simplified else "Hans"


def _shares(votes: Sequence[Vote], best: str) -> tuple[float, str | None, float]:
    """The share of the letters that voted for the best language, the other language that enough windows are surely in,
    and its share."""
    letters = sum(vote.letters for vote in votes)
    own = 0.0
    shares: dict[str, float] = {}
    for vote in votes:
        if not vote.guesses:
            continue
        chance, code = vote.guesses[0]
        code = _ONE_CHINESE.get(code, code)
        part = vote.letters / letters
        if code == best:
            own += part
        elif chance >= SECOND_SURE and not _is_nonsense(vote) and _apart(code, best):
            shares[code] = shares.get(code, 0.0) + part
    share, code = min(((-share, code) for code, share in shares.items()), default=(0.0, ""))
    return (own, code, -share) if -share >= SECOND_SHARE else (own, None, 0.0)


def _apart(code: str, best: str) -> bool:
    return group_of(code) != group_of(best) and codes.language_of(code) != codes.language_of(best)
