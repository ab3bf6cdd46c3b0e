"""Bad words: documents with a listed word of their language; the lists are given as files, none is shipped.

C4 (Raffel et al. 2020, JMLR 21(140), §2.2) drops a page with one word of a public list. We differ: a word counts where
neither side of it is a letter of any script, marks included; in scripts without spaces it counts anywhere.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import errors
from tamis.bounds import Bound
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.rule import keep
from tamis.filters.signal import Signal
from tamis.text import unicode as u

GIVEN = "word lists given by path; the rule is C4's, Raffel et al. 2020, JMLR 21(140), §2.2"


@dataclass(frozen=True, slots=True)
class BadWords:
    """The number of listed words in each text, by the list of its language; 0 for a language without a list."""

    lists: tuple[tuple[str, str, str], ...]  # language, path, SHA-256: the checksum fixes what the chain is

    def __call__(self, text: pa.Array, language: pa.Array) -> npt.NDArray[np.float64]:
        """Return the count of each row."""
        paths = {code: path for code, path, _ in self.lists}
        pairs = zip(text.to_pylist(), language.to_pylist(), strict=True)
        return np.array([_count(paths[code], body or "") if code in paths else 0 for body, code in pairs], np.float64)


@family(source=GIVEN)
def bad_words(*, folder: str, max_words: Bound = 0.0) -> Chain:
    """Drop documents with more than `max_words` listed words.

    `folder` holds one `<language>.txt` for each language (`eng_Latn.txt`), one word or phrase a line, `#` for comments;
    a language without a file passes. Raises ConfigError where the folder has no such file.
    """
    files = sorted(Path(folder).glob("*_*.txt"))
    if not files:
        raise errors.ConfigError(f"No word list in {folder}.", "Name each after its language, such as eng_Latn.txt.")
    lists = tuple((file.stem, str(file), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files)
    return Chain(keep(Signal("bad_word_count", ("text", "language?"), BadWords(lists)), at_most=max_words))


def _count(path: str, text: str) -> int:
    pattern = _pattern(path)
    if pattern is None:
        return 0
    plain = unicodedata.normalize("NFC", text).casefold()
    return sum(_stands_alone(plain, found.start(), found.end()) for found in pattern.finditer(plain))


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Say whether the match is no part of a longer word; a script without spaces shows no borders to ask for."""
    return (start == 0 or not _joins(text[start - 1], text[start])) and (
        end == len(text) or not _joins(text[end], text[end - 1])
    )


def _joins(outside: str, inside: str) -> bool:
    entry = u.properties(outside)
    is_spaced = not (u.properties(inside) >> u.UNIT_SHIFT) & u.UNIT_MASK
    return is_spaced and entry & u.CLASS_MASK in (u.LETTER, u.MARK, u.DIGIT)


@lru_cache(maxsize=256)
def _pattern(path: str) -> re.Pattern[str] | None:
    lines = (line.strip() for line in Path(path).read_text("utf-8").splitlines())
    listed = {unicodedata.normalize("NFC", line).casefold() for line in lines if line and not line.startswith("#")}
    # Longest first, because the first alternative that fits is the match.
    return re.compile("|".join(map(re.escape, sorted(listed, key=lambda w: (-len(w), w))))) if listed else None
