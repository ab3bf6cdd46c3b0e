"""RedPajama-v2's signals of repeated n-grams, on its normalised words: Weber et al. 2024, arXiv 2411.12372, appendix C.

They differ from Gopher's rules: of the top n-gram the first of the most frequent counts, not the longest, and every
word of a duplicated n-gram counts once, its first occurrence included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

TOP = (2, 3, 4)
DUPLICATED = (5, 6, 7, 8, 9, 10)
NAMES = (
    *(f"rps_doc_frac_chars_top_{size}gram" for size in TOP),
    *(f"rps_doc_frac_chars_dupe_{size}grams" for size in DUPLICATED),
)


def measure(words: Sequence[str]) -> dict[str, float]:
    """Return the share of the words' characters in each kind of n-gram, in [0, 1]; 0 where there is none."""
    values = [top_share(words, size) for size in TOP] + [duplicated_share(words, size) for size in DUPLICATED]
    return dict(zip(NAMES, values, strict=True))


def top_share(words: Sequence[str], size: int) -> float:
    """Return the share of the characters that stand in the most frequent n-gram, 0 where none stands twice."""
    ranked = Counter(_runs(words, size)).most_common(1)
    if not ranked or ranked[0][1] < 2:
        return 0.0
    run, count = ranked[0]
    return _chars(run) * count / _chars(words) if _chars(words) else 0.0


def duplicated_share(words: Sequence[str], size: int) -> float:
    """Return the share of the characters that stand in n-grams which stand twice; where they overlap, once."""
    runs = _runs(words, size)
    counts, covered = Counter(runs), set[int]()
    for place, run in enumerate(runs):
        if counts[run] > 1:
            covered.update(range(place, place + size))
    return sum(len(words[place]) for place in covered) / _chars(words) if covered and _chars(words) else 0.0


def _runs(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[place : place + size]) for place in range(len(words) - size + 1)]


def _chars(words: Sequence[str]) -> int:
    return sum(map(len, words))
