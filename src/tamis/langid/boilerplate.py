"""Short texts that are in nobody's words: consent banners, licence headers, filler, code that reads like a language.

A model of languages calls them English or Latin, and is right as far as it goes. Only short texts are looked at: in a
long one they decide nothing.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

BOILERPLATE, CODE = "zxx_Boil", "zxx_Code"
# A text of more characters, spaces apart, has said something of its own, or repeats itself, which filters see. One of
# more bytes need not be counted.
MOST_CHARS, MOST_BYTES = 3000, 6000
# Share of a text's letters in clauses that count.
LEAST_SHARE = 0.7
# Brackets, signs and strokes among all that is no space: prose has one or two in a hundred. Lists and manuals may have
# more; what has curly brackets besides, `LEAST_CURLY` or more, is code.
SYMBOL_SHARE = 0.08
LEAST_CURLY = 2
_SYMBOLS = "{}[]<>=;:_/\\|&#$^*+~"
_CLAUSES = re.compile(r"[.!?;:\n\r\v\f\x85\u2028\u2029|]+")


@dataclass(frozen=True, slots=True)
class Kind:
    """What gives one kind of boilerplate away: bytes worth a look, words of its clauses, phrases of nothing else."""

    look_for: tuple[bytes, ...]
    words: re.Pattern[str]
    phrases: re.Pattern[str]


def found(text: str) -> tuple[str, float] | None:
    """Return the code of what a text is instead of a language, and the share of it that says so, or None.

    Line ends, spaces and the normal form of the text make no difference.
    """
    raw = text.encode("utf-8", "replace").lower()
    curly = raw.count(b"{") + raw.count(b"}") >= LEAST_CURLY
    kinds = [kind for kind in _kinds() if any(mark in raw for mark in kind.look_for)]
    filler = any(word in raw for word in _telling())
    # Most texts end here, at the price of a few searches in their bytes.
    if not (curly or kinds or filler) or len(raw) > MOST_BYTES or _length(text) > MOST_CHARS:
        return None
    if curly and (share := _symbols(text)) >= SYMBOL_SHARE:
        return CODE, min(1.0, 0.5 + share)
    best = max([*(_share(text, kind) for kind in kinds), _filler(text) if filler else 0.0])
    return (BOILERPLATE, best) if best >= LEAST_SHARE else None


def _length(text: str) -> int:
    return len("".join(unicodedata.normalize("NFC", text).split()))


def _symbols(text: str) -> float:
    plain = [c for c in unicodedata.normalize("NFC", text) if not c.isspace() and c != "\ufeff"]
    signs = sum(c in _SYMBOLS for c in plain)
    return signs / len(plain) if plain else 0.0


def _share(text: str, kind: Kind) -> float:
    """The share of a text's letters in clauses that count, 0 where no phrase gives it away."""
    plain = unicodedata.normalize("NFC", text).casefold()
    if not kind.phrases.search(" ".join(plain.split())):
        return 0.0
    sizes = [(sum(map(str.isalpha, clause)), clause) for clause in _CLAUSES.split(plain)]
    every = sum(size for size, _ in sizes)
    return sum(size for size, clause in sizes if kind.words.search(clause)) / every if every else 0.0


def _filler(text: str) -> float:
    table = _table()["lorem"]
    plain = unicodedata.normalize("NFC", text).casefold()
    words = [word for word in re.findall("[a-z]+", plain) if word in _fillers()]
    share = sum(map(len, words)) / max(1, sum(map(str.isalpha, plain)))
    return share if len(set(words) & set(table["telling"].split())) >= 3 and share >= table["least"] else 0.0


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("tamis.langid").joinpath("data", "boilerplate.toml").read_text(encoding="utf-8"))


@cache
def _kinds() -> tuple[Kind, ...]:
    return tuple(
        Kind(tuple(mark.encode() for mark in row["look_for"]), re.compile(row["words"]), re.compile(row["phrases"]))
        for row in _table()["kind"]
    )


@cache
def _fillers() -> frozenset[str]:
    return frozenset(_table()["lorem"]["words"].split())


@cache
def _telling() -> tuple[bytes, ...]:
    return tuple(mark.encode() for mark in _table()["lorem"]["look_for"])
