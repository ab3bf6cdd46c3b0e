"""Pre-tokens without a regular expression engine: the patterns of GPT-2, cl100k and o200k as kernels over UTF-8.

Each kernel returns where the pre-token that starts at a place ends, with the regular expression's own order of
alternatives and its backtracking worked out by hand. Character classes come from `classes`.

No kernel here checks bounds: a byte is read only at a place below `stop`, which the caller has shown to lie within the
data, and a class only of a code point below the table's length, whatever the bytes say.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.tokenize.classes import BREAK, CODE_POINTS, LETTER, LOWER, MARK, NUMBER, SPACE, UPPER, Classes
from tamis.tokenize.unchecked import unchecked

GPT2, CL100K, O200K = 0, 1, 2

_ALPHA = UPPER | LOWER | LETTER
_HEAD = UPPER | LETTER | MARK  # [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
_TAIL = LOWER | LETTER | MARK  # [\p{Ll}\p{Lm}\p{Lo}\p{M}]
_BOTH = LETTER | MARK

Bytes = npt.NDArray[np.uint8]

# How the three are written in tokenizer files; DIGITS stands for what \p{N} is repeated by.
_SUFFIX = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORD = r"[^\r\n\p{L}\p{N}]?"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CL100K = _SUFFIX + "|" + _WORD + r"\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|" + _SPACES
_O200K = (
    _WORD + r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _SUFFIX + "?|"
    + _WORD + r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _SUFFIX + "?"
    + r"|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _SPACES
)  # fmt: skip
_DIGITS = {"": 1, "{1}": 1, "{1,2}": 2, "{1,3}": 3, "+": 0}


def recognise(pre_tokenizer: dict[str, Any] | None) -> tuple[int, int] | None:
    """Return (pattern, most digits in a row; 0 is any number) for a pre-tokenizer the kernels know, else None."""
    parts = pre_tokenizer.get("pretokenizers", [pre_tokenizer]) if pre_tokenizer else []
    last = parts[-1] if parts else {}
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        return None
    if len(parts) == 1:
        return (GPT2, 0) if last.get("use_regex", True) else None
    if len(parts) != 2 or last.get("use_regex", True) or parts[0].get("type") != "Split":
        return None
    # Matches kept apart, or what is not between matches removed: the patterns match everywhere, so both cut alike.
    if (parts[0].get("behavior"), bool(parts[0].get("invert"))) not in (("Isolated", False), ("Removed", True)):
        return None
    return _named(parts[0].get("pattern", {}).get("Regex"))


def _named(pattern: str | None) -> tuple[int, int] | None:
    if pattern == _GPT2:
        return GPT2, 0
    for number, known in ((CL100K, _CL100K), (O200K, _O200K)):
        for written, digits in _DIGITS.items():
            if pattern == known.replace("DIGITS", written):
                return number, digits
    return None


@unchecked
def flags_at(data: Bytes, at: int, stop: int, classes: Classes) -> tuple[int, int]:
    """Return the flags of the character at `at` and where the next begins; damaged UTF-8 has no flags."""
    first = np.int64(data[at])
    if first < 0x80:
        return int(classes[first]), at + 1
    if first < 0xE0:
        if at + 2 > stop:
            return 0, stop
        return int(classes[(first & 0x1F) << 6 | data[at + 1] & 0x3F]), at + 2
    if first < 0xF0:
        if at + 3 > stop:
            return 0, stop
        return int(classes[(first & 0xF) << 12 | (data[at + 1] & 0x3F) << 6 | data[at + 2] & 0x3F]), at + 3
    if at + 4 > stop:
        return 0, stop
    point = (first & 7) << 18 | (data[at + 1] & 0x3F) << 12 | (data[at + 2] & 0x3F) << 6 | data[at + 3] & 0x3F
    return (int(classes[point]) if point < CODE_POINTS else 0), at + 4


@unchecked
def run_end(data: Bytes, at: int, stop: int, classes: Classes, wanted: int) -> int:
    """Return the end of the run of characters that have a flag in `wanted`."""
    while at < stop:
        flags, after = flags_at(data, at, stop, classes)
        if not flags & wanted:
            break
        at = after
    return at


@unchecked
def symbols_end(data: Bytes, at: int, stop: int, classes: Classes) -> int:
    """Return the end of a run of [^\\s\\p{L}\\p{N}]."""
    while at < stop:
        flags, after = flags_at(data, at, stop, classes)
        if flags & (_ALPHA | NUMBER | SPACE):
            break
        at = after
    return at


@unchecked
def digits_end(data: Bytes, at: int, stop: int, classes: Classes, most: int) -> int:
    """Return the end of a run of at most `most` numbers; 0 is any number."""
    taken = 0
    while at < stop and (most == 0 or taken < most):
        flags, after = flags_at(data, at, stop, classes)
        if not flags & NUMBER:
            break
        at = after
        taken += 1
    return at


@unchecked
def suffix_end(data: Bytes, at: int, stop: int, fold: bool) -> int:
    """Return the end of 's 't 're 've 'm 'll 'd at `at`, or `at`; `fold` ignores case, where ſ is an s."""
    if at + 1 >= stop or data[at] != 0x27:
        return at
    one = data[at + 1] | 0x20 if fold and data[at + 1] < 0x80 else data[at + 1]
    if one == 0x73 or one == 0x74 or one == 0x6D or one == 0x64:
        return at + 2
    if at + 2 >= stop:
        return at
    if fold and data[at + 1] == 0xC5 and data[at + 2] == 0xBF:
        return at + 3
    two = data[at + 2] | 0x20 if fold and data[at + 2] < 0x80 else data[at + 2]
    if ((one == 0x72 or one == 0x76) and two == 0x65) or (one == 0x6C and two == 0x6C):
        return at + 3
    return at


@unchecked
def spaces_end(data: Bytes, at: int, stop: int, classes: Classes, breaks: bool) -> int:
    """Return the end of `\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`, the first of them only with `breaks`; `at` is a space."""
    last = last_break = end = at
    while end < stop:
        flags, after = flags_at(data, end, stop, classes)
        if not flags & SPACE:
            break
        last, end = end, after
        if flags & BREAK:
            last_break = after
    if breaks and last_break > at:
        return last_break
    return last if end < stop and last > at else end


@unchecked
def lowered_end(data: Bytes, at: int, stop: int, classes: Classes) -> int:
    """Return the end of `HEAD*TAIL+` at `at`, or `at` where there is none.

    HEAD* takes all it can; if no lower-case letter follows it gives back until its last character is one TAIL has too.
    """
    end, place = at, at
    while place < stop:
        flags, after = flags_at(data, place, stop, classes)
        if not flags & _HEAD:
            if flags & LOWER:
                return run_end(data, place, stop, classes, _TAIL)
            break
        if flags & _BOTH:
            end = after
        place = after
    return end


@unchecked
def word_o200k(data: Bytes, at: int, stop: int, classes: Classes, flags: int, after: int) -> int:
    """Return the end of the first two alternatives of o200k, or `at`."""
    prefix = not flags & (_ALPHA | NUMBER | BREAK)
    end = at
    if prefix and after < stop:
        end = lowered_end(data, after, stop, classes)
        if end == after:
            end = at
    if end == at and flags & (_ALPHA | MARK):
        end = lowered_end(data, at, stop, classes)
    if end == at and prefix and after < stop:
        end = run_end(data, after, stop, classes, _HEAD)
        if end == after:
            end = at
    if end == at and flags & _HEAD:
        end = run_end(data, at, stop, classes, _HEAD)
    return suffix_end(data, end, stop, True) if end > at else at


@unchecked
def word_cl100k(data: Bytes, at: int, stop: int, classes: Classes, flags: int, after: int) -> int:
    """Return the end of the first two alternatives of cl100k, or `at`."""
    end = suffix_end(data, at, stop, True)
    if end > at:
        return end
    if flags & _ALPHA:
        return run_end(data, after, stop, classes, _ALPHA)
    if not flags & (NUMBER | BREAK):
        end = run_end(data, after, stop, classes, _ALPHA)
        return end if end > after else at
    return at


@unchecked
def end_gpt2(data: Bytes, at: int, stop: int, classes: Classes) -> int:
    """Return the end of the GPT-2 pre-token that starts at `at`."""
    end = suffix_end(data, at, stop, False)
    if end > at:
        return end
    start = at + 1 if data[at] == 0x20 and at + 1 < stop else at
    flags, after = flags_at(data, start, stop, classes)
    if flags & _ALPHA:
        return run_end(data, after, stop, classes, _ALPHA)
    if flags & NUMBER:
        return run_end(data, after, stop, classes, NUMBER)
    if not flags & SPACE:
        return symbols_end(data, after, stop, classes)
    return spaces_end(data, at, stop, classes, False)


@unchecked
def next_end(data: Bytes, at: int, stop: int, classes: Classes, pattern: int, digits: int) -> int:
    """Return the end of the pre-token that starts at `at` (< `stop`); always beyond it."""
    if pattern == GPT2:
        return end_gpt2(data, at, stop, classes)
    flags, after = flags_at(data, at, stop, classes)
    if pattern == O200K:
        end = word_o200k(data, at, stop, classes, flags, after)
    else:
        end = word_cl100k(data, at, stop, classes, flags, after)
    if end > at:
        return end
    if flags & NUMBER:
        return digits_end(data, at, stop, classes, digits)
    start = at + 1 if data[at] == 0x20 else at
    end = symbols_end(data, start, stop, classes)
    if end > start:
        while end < stop and (data[end] == 0x0A or data[end] == 0x0D or (pattern == O200K and data[end] == 0x2F)):
            end += 1
        return end
    return spaces_end(data, at, stop, classes, True)
