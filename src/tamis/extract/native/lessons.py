"""What the trainer learns from one page: its blocks, how much of each is gold, and where its tokens stand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tamis.extract.native import layout
from tamis.extract.native.align import labels_from_segments, matched_tokens
from tamis.extract.native.blocks import Ints, Page, scan_page
from tamis.extract.native.containers import PATH
from tamis.extract.native.corpus import Lesson
from tamis.extract.native.describe import Described, Floats, describe_page
from tamis.extract.native.evaluate import split_tokens
from tamis.extract.native.names import SECTIONING, names
from tamis.extract.native.tokens import tag_token

# A label taken from other blocks counts so much, and is wrong so often.
_SPREAD, _DOUBT = 0.3, 0.05


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled page.

    Per block: `labels` the share of its tokens that is gold, `known` 1 where that is known, `sizes` its tokens. Per
    token of the page: `tokens` its hash, `good` how much of the text below it is gold, in [0, 1]. For scoring,
    `places` are the gold's token numbers per block (-1: not in it) and `counts` how often the gold has each.
    """

    lesson: Lesson
    described: Described
    labels: Floats
    known: Floats
    sizes: Floats
    tokens: Ints
    good: Floats
    places: list[npt.NDArray[np.int32]]
    counts: Ints

    def f1(self, kept: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
        """Return (precision, recall, F1) of keeping these blocks."""
        found = [self.places[block] for block in np.flatnonzero(kept)]
        numbers = np.concatenate(found) if found else np.empty(0, np.int32)
        common = np.minimum(np.bincount(numbers[numbers >= 0], minlength=len(self.counts)), self.counts).sum()
        if not common:
            return 0.0, 0.0, 0.0
        precision, recall = float(common / len(numbers)), float(common / self.counts.sum())
        return precision, recall, 2 * precision * recall / (precision + recall)


def learn_page(lesson: Lesson) -> Example:
    """Return a page with its blocks labelled by alignment to its gold text or segments."""
    page = scan_page(lesson.html)
    raw = page.text.tobytes()
    spans = page.blocks[:, [layout.START, layout.END]].tolist()
    texts = [raw[start:end].decode("utf-8", "replace") for start, end in spans]
    split = [split_tokens(text) for text in texts]
    sizes = np.array([len(block) for block in split], np.float32)
    gold = split_tokens(lesson.gold or "")
    numbers = {token: number for number, token in enumerate(dict.fromkeys(gold))}
    if lesson.gold is None:
        labels, known = labels_from_segments(texts, lesson.inside, lesson.outside)
    else:
        matched = matched_tokens([token for block in split for token in block], gold)
        owner = np.repeat(np.arange(len(split)), sizes.astype(np.int64))
        labels = (np.bincount(owner, matched, len(split)) / np.maximum(sizes, 1)).astype(np.float32)
        known = np.ones(len(split), np.float32)
    described = describe_page(page)
    if lesson.gold is None:
        _spread(described.shares[:, PATH].astype(np.int64), labels, known)
    tokens, good = _token_shares(described, labels, known)
    places = [np.array([numbers.get(token, -1) for token in block], np.int32) for block in split]
    counts = np.bincount([numbers[token] for token in gold], minlength=len(numbers)).astype(np.int64)
    return Example(lesson, described, labels, known, sizes, tokens, good, places, counts)


def _spread(paths: Ints, labels: Floats, known: Floats) -> None:
    """Let blocks of unknown label take, at a lower weight, that of the known ones on their path, where those agree."""
    count = int(paths.max()) + 1 if len(paths) else 0
    inside = np.bincount(paths, known * labels, count)[paths]
    outside = np.bincount(paths, known * (1 - labels), count)[paths]
    for where, label in (
        ((known == 0) & (inside > 0) & (outside == 0), 1 - _DOUBT),
        ((known == 0) & (outside > 0) & (inside == 0), _DOUBT),
    ):
        labels[where], known[where] = label, _SPREAD


def disguised(example: Example) -> Example:
    """Return the page as if its author had used no sectioning elements, and names that nobody else uses.

    Old pages and those in other languages look so; without them among its lessons a model trusts names too much.
    """
    page = example.described.page
    elements = page.elements.copy()
    sectioning = elements[:, layout.SECTION] == np.arange(len(elements))
    elements[sectioning, layout.TAG] = names().tag("div")
    elements[:, layout.SECTION] = 0
    elements[:, layout.CONTEXT] &= ~SECTIONING
    no_tokens, no_class_tokens = np.zeros_like(page.tokens), np.zeros_like(page.class_tokens)
    bare = replace(page, elements=elements, tokens=no_tokens, class_tokens=no_class_tokens)
    nothing = np.empty(0, np.int64)
    return replace(
        example, described=replace(example.described, page=bare), tokens=nothing, good=nothing.astype(np.float32)
    )


def _token_shares(described: Described, labels: Floats, known: Floats) -> tuple[Ints, Floats]:
    """Return each token of the page once, with the share of the text below it that is gold."""
    page = described.page
    count = len(page.elements)
    inside = np.zeros((count, 2))
    weight = known * described.units
    rows = page.blocks[:, layout.ELEMENT]
    np.add.at(inside, rows, np.stack([weight * labels, weight], 1))
    for row in range(count - 1, 0, -1):
        inside[page.elements[row, layout.PARENT]] += inside[row]
    owner, named = _tokens_by_element(page)
    tags = np.array([tag_token(tag) for tag in page.elements[:, layout.TAG].tolist()], np.int64)
    tokens, places = np.unique(np.concatenate([named, tags]), return_inverse=True)
    owners = np.concatenate([owner, np.arange(count)])
    good = np.bincount(places, inside[owners, 0], len(tokens))
    whole = np.bincount(places, inside[owners, 1], len(tokens))
    used = whole > 0
    return tokens[used].astype(np.int64), (good[used] / whole[used]).astype(np.float32)


def _tokens_by_element(page: Page) -> tuple[Ints, Ints]:
    """Return (element, token) for each token of each element's class, id, role and itemprop."""
    count = len(page.elements)
    ends = np.append(page.elements[1:, layout.TOKENS], len(page.tokens))
    owner = np.repeat(np.arange(count), ends - page.elements[:, layout.TOKENS])
    stops = np.append(page.classes[1:, layout.FIRST_TOKEN], len(page.class_tokens))
    number = page.elements[:, layout.CLASS]
    sizes = (stops - page.classes[:, layout.FIRST_TOKEN])[number]
    starts = page.classes[number, layout.FIRST_TOKEN]
    places = np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
    of_class = np.repeat(np.arange(count), sizes)
    return np.concatenate([owner, of_class]), np.concatenate([page.tokens, page.class_tokens[places]])
