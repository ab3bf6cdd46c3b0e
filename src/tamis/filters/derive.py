"""Derives what filters know of languages and scripts from reference text: stop words, word lengths, word counts.

    python -m tamis.filters.derive OUT_FOLDER < rows.tsv

`rows.tsv` has the columns language (`iso639-3_Script`), source and text, one sentence or paragraph a row. The source
`parallel` is one text translated into every language (the Universal Declaration of Human Rights): it says how many
words and letters a language takes for what English says.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tamis.text.words import words

REFERENCE = "eng_Latn"
PARALLEL = "parallel"

# A stop word is at least so frequent (FineWeb-2's share); a table has so many words, and is made of so many at least.
STOP_SHARE = 0.008
FEWEST, MOST = 8, 120
ENOUGH_WORDS = 600
# The mean length of a language's words is known to a few hundredths from so many: few long words are no reason to pass
# over a language, because its word length is then what matters.
MEAN_WORDS = 200
# A source smaller than this says too little of how often a word stands.
SOURCE_WORDS = 300
# The rule must keep nearly every held-out passage of this length, the shortest document Gopher keeps.
PASSAGE_WORDS = 50
PASSAGE_SHARE = 0.98
# Gopher asks for two distinct stop words; where two would drop clean text one is asked for, and else none.
WANTED = (2, 1)


@dataclass(frozen=True, slots=True)
class StopWords:
    """A language's stop words, most frequent first, and how many distinct ones a document must have at least."""

    words: tuple[str, ...]
    at_least: int


@dataclass(slots=True)
class Language:
    """What is seen of one language: the words of each source in order, and the size of its parallel text."""

    sources: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    parallel_words: int = 0
    parallel_rows: int = 0

    @property
    def words(self) -> list[str]:
        """All words, source by source."""
        return [word for _, found in sorted(self.sources.items()) for word in found]


def collect(rows: Iterable[tuple[str, str, str]]) -> dict[str, Language]:
    """Return what is seen of each language in `(language, source, text)` rows."""
    seen: dict[str, Language] = defaultdict(Language)
    for code, source, text in rows:
        found = [word.casefold() for word in words(text)]
        language = seen[code]
        language.sources[source] += found
        if source == PARALLEL:
            language.parallel_words += len(found)
            language.parallel_rows += 1
    return dict(sorted(seen.items()))


def stop_words(sources: Mapping[str, list[str]]) -> StopWords | None:
    """Return a language's stop words and the number a document needs, or None where no rule is safe.

    Each source is held out in turn: a table of the others must find the number wanted in nearly all of its passages.
    Where there is one source, its second half is held out, and because that half speaks of the same things, the rule
    asks for one word less than the passages show.
    """
    large = {name: found for name, found in sorted(sources.items()) if len(found) >= SOURCE_WORDS}
    if sum(map(len, large.values())) < ENOUGH_WORDS:
        return None
    alone = len(large) == 1
    for wanted in WANTED[1:] if alone else WANTED:
        size = _enough([_needed(train, test, wanted + alone) for train, test in _folds(large)])
        if size is not None:
            ranked = _ranked(list(large.values()))
            least = max(FEWEST, sum(share >= STOP_SHARE for _, share in ranked), size)
            return StopWords(tuple(word for word, _ in ranked[:least]), wanted)
    return None


def _enough(folds: list[list[int]]) -> int | None:
    """Return the size of a table that serves PASSAGE_SHARE of all passages, or None if that takes more than MOST."""
    needed = sorted(size for fold in folds for size in fold)
    size = needed[math.ceil(PASSAGE_SHARE * len(needed)) - 1]
    return size if size <= MOST else None


def _folds(large: Mapping[str, list[str]]) -> list[tuple[list[list[str]], list[str]]]:
    """Return (sources to learn from, source held out), each source held out once."""
    if len(large) == 1:
        (found,) = large.values()
        return [([found[: len(found) // 2]], found[len(found) // 2 :])]
    return [([found for other, found in large.items() if other != name], large[name]) for name in large]


def _ranked(sources: list[list[str]]) -> list[tuple[str, float]]:
    """Return the MOST words of the highest mean share over sources, so that no source's topic makes a stop word."""
    shares: defaultdict[str, float] = defaultdict(float)
    for found in sources:
        for word, count in Counter(found).items():
            shares[word] += count / len(found) / len(sources)
    order = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[: 2 * MOST]
    return [(word, share) for word, share in order if _has_letter(word)][:MOST]


def _needed(train: list[list[str]], test: list[str], wanted: int) -> list[int]:
    """Return, for each passage, how many of the most frequent words it takes to find `wanted` of them in it."""
    ranks = {word: rank for rank, (word, _) in enumerate(_ranked(train), 1)}
    needed = []
    for start in range(0, len(test) - PASSAGE_WORDS + 1, PASSAGE_WORDS):
        found = sorted({ranks[word] for word in test[start : start + PASSAGE_WORDS] if word in ranks})
        needed.append(found[wanted - 1] if len(found) >= wanted else MOST + 1)
    return needed


def word_ratio(language: Language, reference: Language) -> float | None:
    """Return how many words the language takes for one of the reference's, or None without a whole parallel text."""
    if not reference.parallel_rows or not 0.8 < language.parallel_rows / reference.parallel_rows < 1.25:
        return None
    return language.parallel_words / reference.parallel_words


def write(seen: Mapping[str, Language], folder: Path) -> None:
    """Write `stopwords.tsv` and `languages.tsv`."""
    tables = {code: stop_words(language.sources) for code, language in seen.items()}
    stops = [f"{code}\t{found.at_least}\t{' '.join(found.words)}\n" for code, found in tables.items() if found]
    (folder / "stopwords.tsv").write_text("language\tat_least\twords\n" + "".join(stops), "utf-8")
    lines = ["language\tword_ratio\tword_letters\n"]
    usual = _letters(seen[REFERENCE].words)
    for code, language in seen.items():
        if len(language.words) >= MEAN_WORDS:
            letters = _letters(language.words)
            # Translations take about as many letters: without a whole one, words twice as long are taken for half.
            ratio = word_ratio(language, seen[REFERENCE]) or (usual / letters if letters > usual else None)
            lines.append(f"{code}\t{'' if ratio is None else f'{ratio:.2f}'}\t{letters:.2f}\n")
    (folder / "languages.tsv").write_text("".join(lines), "utf-8")


def _letters(found: list[str]) -> float:
    from tamis.text.measure import measure
    from tamis.text.stopwords import stop_tables

    counts = measure([" ".join(found)], stop_tables({}), runs=False)
    return float(counts["worth"][0] / counts["words"][0] / 16)


def _has_letter(word: str) -> bool:
    from tamis.text import unicode as u

    return any(u.properties(character) & u.CLASS_MASK == u.LETTER for character in word)


def main() -> None:
    """Read rows from standard input and write the tables."""
    rows = (line.rstrip("\n").split("\t") for line in sys.stdin)
    write(collect((row[0], row[1], row[2]) for row in rows if len(row) == 3), Path(sys.argv[1]))


if __name__ == "__main__":
    main()
