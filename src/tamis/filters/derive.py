"""Derives what filters know of languages and scripts from reference text: stop words, word lengths, word counts.

    python -m tamis.filters.derive OUT_FOLDER < rows.tsv

`rows.tsv` has the columns language (`iso639-3_Script`), source and text, one sentence or paragraph a row. The source
`parallel` is one text translated into every language (the Universal Declaration of Human Rights): it says how many
words and letters a language takes for what English says.
"""

from __future__ import annotations

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
FEWEST, MOST = 8, 60
ENOUGH_WORDS = 600
# A table must find two distinct stop words in nearly every passage of this length, the shortest document Gopher keeps.
PASSAGE_WORDS = 50
PASSAGE_SHARE = 0.97


@dataclass(slots=True)
class Language:
    """What is seen of one language: words in order (of all its text), and the size of its parallel text."""

    words: list[str] = field(default_factory=list)
    parallel_words: int = 0
    parallel_rows: int = 0


def collect(rows: Iterable[tuple[str, str, str]]) -> dict[str, Language]:
    """Return what is seen of each language in `(language, source, text)` rows."""
    seen: dict[str, Language] = defaultdict(Language)
    for code, source, text in rows:
        found = [word.casefold() for word in words(text)]
        language = seen[code]
        language.words += found
        if source == PARALLEL:
            language.parallel_words += len(found)
            language.parallel_rows += 1
    return dict(sorted(seen.items()))


def stop_words(found: list[str]) -> list[str] | None:
    """Return a language's stop words, most frequent first, or None when no list of at most MOST words is enough."""
    if len(found) < ENOUGH_WORDS:
        return None
    ranked = [(word, count) for word, count in Counter(found).most_common(MOST) if _has_letter(word)]
    size = max(FEWEST, sum(count / len(found) >= STOP_SHARE for _, count in ranked))
    while size <= len(ranked):
        chosen = [word for word, _ in ranked[:size]]
        if _share_of_passages(found, set(chosen)) >= PASSAGE_SHARE:
            return chosen
        size += 1
    return None


def word_ratio(language: Language, reference: Language) -> float | None:
    """Return how many words the language takes for one of the reference's, or None without a whole parallel text."""
    if not reference.parallel_rows or not 0.8 < language.parallel_rows / reference.parallel_rows < 1.25:
        return None
    return language.parallel_words / reference.parallel_words


def write(seen: Mapping[str, Language], folder: Path) -> None:
    """Write `stopwords.tsv` and `languages.tsv`."""
    tables = {code: stop_words(language.words) for code, language in seen.items()}
    stops = [f"{code}\t{' '.join(chosen)}\n" for code, chosen in tables.items() if chosen]
    (folder / "stopwords.tsv").write_text("language\twords\n" + "".join(stops), "utf-8")
    lines = ["language\tword_ratio\tword_letters\n"]
    for code, language in seen.items():
        ratio = word_ratio(language, seen[REFERENCE])
        if len(language.words) >= ENOUGH_WORDS:
            lines.append(f"{code}\t{'' if ratio is None else f'{ratio:.2f}'}\t{_letters(language.words):.2f}\n")
    (folder / "languages.tsv").write_text("".join(lines), "utf-8")


def _share_of_passages(found: list[str], chosen: set[str]) -> float:
    starts = range(0, len(found) - PASSAGE_WORDS + 1, PASSAGE_WORDS)
    enough = [len(chosen.intersection(found[start : start + PASSAGE_WORDS])) >= 2 for start in starts]
    return sum(enough) / len(enough)


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
