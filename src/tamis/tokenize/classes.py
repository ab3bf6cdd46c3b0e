"""Character classes as the reference's regular expressions see them: one byte of flags per code point.

`data/classes.tsv` was read out of the tokenizers library (`derive`), because ids are exact only if `\\p{Lu}`, `\\s` and
the rest are the very sets it uses; a test compares the two for the installed release.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, pre_tokenizers

UPPER, LOWER, LETTER, MARK, NUMBER, SPACE, BREAK = 1, 2, 4, 8, 16, 32, 64
CODE_POINTS = 0x110000
_PATTERNS = {
    UPPER: r"\p{Lu}\p{Lt}",
    LOWER: r"\p{Ll}",
    LETTER: r"\p{Lm}\p{Lo}",
    MARK: r"\p{M}",
    NUMBER: r"\p{N}",
    SPACE: r"\s",
    BREAK: r"\r\n",
}

Classes = npt.NDArray[np.uint8]


@cache
def table() -> Classes:
    """Return the flags of every code point, shape (0x110000,), uint8, read-only."""
    rows = (files("tamis.tokenize") / "data" / "classes.tsv").read_text("ascii").split("\n")[1:]
    flags = np.zeros(CODE_POINTS, np.uint8)
    for row in filter(None, rows):
        first, last, value = row.split("\t")
        flags[int(first, 16) : int(last, 16) + 1] = int(value)
    flags.setflags(write=False)
    return flags


def derive() -> Classes:
    """Return the same table out of the installed tokenizers library; takes seconds."""
    points = np.array([*range(0xD800), *range(0xE000, CODE_POINTS)], np.int64)
    text = "".join(map(chr, points.tolist()))
    flags = np.zeros(CODE_POINTS, np.uint8)
    for flag, members in _PATTERNS.items():
        others = pre_tokenizers.Split(Regex(f"[^{members}]+"), "removed")
        for _, (start, end) in others.pre_tokenize_str(text):
            flags[points[start:end]] |= flag
    return flags


def as_tsv(flags: Classes) -> str:
    """Return a table as the text of `classes.tsv`: ranges of equal flags, those without any left out."""
    edges = np.flatnonzero(np.diff(flags)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(flags)]
    rows = [f"{first:X}\t{end - 1:X}\t{flags[first]}" for first, end in zip(starts, ends, strict=True) if flags[first]]
    return "\n".join(["first\tlast\tflags", *rows, ""])
