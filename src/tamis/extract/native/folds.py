"""Folds that keep together what is alike: pages of one host, and near-duplicates wherever they stand."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tamis.extract.native.corpus import Lesson
from tamis.extract.native.evaluate import split_tokens

# A page is known by its smallest shingle hashes; two that share half of theirs are near-duplicates.
_SHINGLE, _SKETCH, _SHARED = 5, 32, 16
# A hash on more pages than this is boilerplate, and would make pairs without end.
_MOST_PAGES = 50


def groups_of(lessons: Sequence[Lesson]) -> npt.NDArray[np.int64]:
    """Return a group number for each page: equal for pages of one host, for near-duplicates, and what those join."""
    parent = list(range(len(lessons)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    hosts: dict[str, int] = {}
    for at, lesson in enumerate(lessons):
        parent[root(at)] = root(hosts.setdefault(lesson.host, at))
    for one, other in _near_duplicates(lessons):
        parent[root(one)] = root(other)
    return np.array([root(at) for at in range(len(lessons))], np.int64)


def _near_duplicates(lessons: Sequence[Lesson]) -> list[tuple[int, int]]:
    owners: dict[int, list[int]] = {}
    for at, lesson in enumerate(lessons):
        for found in _sketch(lesson):
            owners.setdefault(found, []).append(at)
    shared: Counter[tuple[int, int]] = Counter()
    for pages in owners.values():
        if len(pages) <= _MOST_PAGES:
            shared.update((one, other) for place, one in enumerate(pages) for other in pages[place + 1 :])
    return sorted(pair for pair, count in shared.items() if count >= _SHARED)


def _sketch(lesson: Lesson) -> list[int]:
    tokens = split_tokens(lesson.gold if lesson.gold is not None else " ".join((*lesson.inside, *lesson.outside)))
    runs = (" ".join(tokens[at : at + _SHINGLE]) for at in range(len(tokens) - _SHINGLE + 1))
    return sorted({zlib.crc32(run.encode()) for run in runs})[:_SKETCH]


def folds_of(groups: npt.NDArray[np.int64], count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return a fold number for each page, whole groups at a time, the largest first into the smallest fold."""
    names, sizes = np.unique(groups, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    load = np.zeros(count)
    assigned = np.zeros(len(names), np.int64)
    for group in order:
        assigned[group] = np.argmin(load)
        load[assigned[group]] += sizes[group]
    return assigned[np.searchsorted(names, groups)]
