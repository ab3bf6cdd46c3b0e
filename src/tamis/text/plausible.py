"""How much decoded text looks like text: the score by which candidate charsets are compared.

Every non-ASCII character earns or loses points by what it is and what stands beside it; the score is their mean.
Wrong charsets betray themselves by rare characters, signs inside words, inverted case, and marks without a base.
"""

from __future__ import annotations

import functools
import unicodedata
from importlib import resources

GOOD = 1.0
BROKEN = -10.0
_MAX_CHARS = 1500
# Typographic signs that clean text of any script has.
_SIGNS = frozenset("\u00a0«»©®°·–—‘’“”„…•€™§№´×、。，！？：；（）「」『』【】《》・ー～　％／")
_LETTERS_PLAIN = frozenset({"GREEK", "HEBREW", "ARABIC", "THAI", "HIRAGANA", "KATAKANA", "CYRILLIC", "LATIN"})


@functools.cache
def _common() -> frozenset[str]:
    """Return the most frequent Han, kana and hangul characters."""
    text = (resources.files("tamis.text") / "data" / "common_characters.tsv").read_text("utf-8")
    return frozenset("".join(line.split("\t")[1] for line in text.splitlines()[1:]))


@functools.lru_cache(maxsize=1 << 14)
def _kind(char: str) -> str:
    """Return a character's class: `bad`, `sign`, `symbol`, `mark SCRIPT`, or its script and case."""
    if char == "\ufffd":
        return "bad"
    if char in _SIGNS:
        return "sign"
    category = unicodedata.category(char)
    if category[0] == "C":
        return "bad"
    script = unicodedata.name(char, "?").partition(" ")[0]
    if category in ("Mn", "Mc"):
        return f"mark {script}"
    if category[0] != "L":
        return "symbol"
    case = {"Lu": " upper", "Ll": " lower"}.get(category, "")
    return script + case


def score(text: str) -> float:
    """Return the mean score of the non-ASCII characters of (the start of) a text, 0.0 where there are none.

    About 1 for clean text of any script, below 0 for text in a wrong charset; U+FFFD and controls weigh -10.
    """
    total, count = 0.0, 0
    before = " "
    run = 0
    for char in text:
        if char < "\x80":
            before, run = char, 0
            continue
        run += 1
        total += _points(char, before, run)
        count += 1
        before = char
        if count >= _MAX_CHARS:
            break
    return total / count if count else 0.0


def _points(char: str, before: str, run: int) -> float:
    kind = _kind(char)
    if kind == "bad":
        return BROKEN
    if kind == "sign":
        return 0.3
    if kind == "symbol":
        return -1.5 if run > 1 or before.isalpha() else -0.3
    script, _, case = kind.partition(" ")
    if script == "mark":
        return GOOD if _kind(before).endswith(case) else -3.0
    if script in ("CJK", "HANGUL"):
        return 1.5 if char in _common() else -0.6
    if script == "HALFWIDTH":
        return -2.0
    return _letter(char, before, run, script, case)


def _letter(char: str, before: str, run: int, script: str, case: str) -> float:
    if script == "LATIN":
        # Accented letters come singly, or in pairs; long runs of them are another charset's bytes.
        points = GOOD if run <= 2 else -2.0
    elif script in _LETTERS_PLAIN:
        points = GOOD
        if before.isascii() and before.isalpha():
            points = -2.0
    else:
        return -2.0
    if case == "upper":
        points -= 3.0 if before.islower() else 0.6
    if before > "\x7f" and before.isalpha() and not _kind(before).startswith(script):
        kana = {"HIRAGANA", "KATAKANA", "CJK"}
        points = points if script in kana and _kind(before).partition(" ")[0] in kana else -2.0
    return points
