"""Boilerplate lines: short lines that speak of cookies, policies and rights in their language, taken out by a rewrite.

C4's policy rule (Raffel et al. 2020, JMLR 21(140), §2.2) for languages other than English. We differ: only lines of at
most so many words go, because prose may speak of cookies too. Phrases are `data/boilerplate.tsv`, or a file given.
"""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis import bounds, errors
from tamis.bounds import Bound
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.rewrites import Rewrite, Rewritten
from tamis.filters.walked import LINES
from tamis.text.lines import FLAGS, PARAGRAPH, START, WORDS, Lines, join_lines

PHRASES = "phrases of data/boilerplate.tsv, written for this project"


@dataclass(frozen=True, slots=True)
class TakeBoilerplate:
    """The rewrite: texts without the lines that hold a phrase of their language."""

    path: str
    checksum: str
    max_words: Bound

    def __call__(self, text: pa.Array, language: pa.Array, lines: pa.Array) -> Rewritten:
        """Return the new texts, with the records of the lines that stay."""
        text = pc.fill_null(text, "")
        found = Lines.of(lines)
        most = np.repeat(bounds.resolve(self.max_words, language, len(text)), np.diff(found.offsets))
        stays = np.ones(len(found.records), bool)
        candidates = found.records[:, WORDS] <= most
        for row, code in enumerate(language.to_pylist()):
            pattern = _pattern(self.path, code)
            first, last = int(found.offsets[row]), int(found.offsets[row + 1])
            if pattern is not None and pattern.search(_plain(text[row].as_py())):
                data = text[row].as_py().encode()
                for line in range(first, last):
                    start, end = found.records[line, :2].tolist()
                    stays[line] = not (candidates[line] and pattern.search(_plain(data[start:end].decode())))
        if stays.all():
            return Rewritten(text)
        rows = np.add.reduceat(np.append(~stays, False), found.offsets[:-1]) * (np.diff(found.offsets) > 0)
        made, _ = join_lines(text, found, stays)
        return Rewritten(pc.if_else(pa.array(rows > 0), made, text))


@dataclass(frozen=True, slots=True)
class BoilerplateShare:
    """The share of paragraphs that hold a shipped phrase of their language or "lorem ipsum": 1 where the first or the
    last one does, as NeMo Curator's `BoilerPlateStringFilter` has it."""

    def __call__(self, text: pa.Array, language: pa.Array, lines: pa.Array) -> npt.NDArray[np.float64]:
        """Return the share of each text, in [0, 1]."""
        found, share = Lines.of(lines), np.zeros(len(text))
        for row, code in enumerate(language.to_pylist()):
            plain = _plain(text[row].as_py() or "")
            pattern = _pattern("", code)
            if "lorem ipsum" not in plain and not (pattern and pattern.search(plain)):
                continue
            records = found.records[found.offsets[row] : found.offsets[row + 1]]
            data = text[row].as_py().encode()
            starts = records[(records[:, FLAGS] & PARAGRAPH != 0) | (np.arange(len(records)) == 0), START].tolist()
            parts = [_plain(data[a:b].decode()) for a, b in pairwise([*starts, len(data)])]
            held = ["lorem ipsum" in part or bool(pattern and pattern.search(part)) for part in parts]
            share[row] = 1.0 if held[0] or held[-1] else sum(held) / len(held)
        return share


@family(source=PHRASES)
def boilerplate_lines(*, phrases: str = "", max_words: Bound = 25.0) -> Chain:
    """Take out lines of at most `max_words` words that hold a phrase of the document's language.

    `phrases` is a TSV file with the columns language and phrase that replaces the shipped one. Nothing is dropped.
    Raises ConfigError where it does not exist.
    """
    if phrases and not Path(phrases).is_file():
        raise errors.ConfigError(f"The list of phrases does not exist: {phrases}.", "Give a TSV: language, phrase.")
    checksum = hashlib.sha256(_read(phrases).encode()).hexdigest()
    take = TakeBoilerplate(phrases, checksum, max_words)
    return Chain(Rewrite("line_boilerplate", ("text", "language?", LINES), take))


def _read(path: str) -> str:
    if path:
        return Path(path).read_text("utf-8")
    return resources.files("tamis.filters").joinpath("data", "boilerplate.tsv").read_text("utf-8")


@lru_cache(maxsize=512)
def _pattern(path: str, language: str | None) -> re.Pattern[str] | None:
    rows = csv.DictReader(_read(path).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    listed = sorted({_plain(row["phrase"]) for row in rows if row["language"] == language})
    return re.compile("|".join(map(re.escape, listed))) if listed else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
