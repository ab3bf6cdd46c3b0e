"""A page's blocks described: the tables that features are made from, and the features under a set of token weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tamis.extract.native import containers, features, layout, names
from tamis.extract.native import measure as measures
from tamis.extract.native import tokens as scores
from tamis.extract.native.blocks import Ints, Page
from tamis.text.unicode import table

Floats = npt.NDArray[np.float32]
_HEADS = 4


@dataclass(frozen=True, slots=True)
class TokenWeights:
    """Learned log-odds: `weights` (n,) float32 in the order of the tokens `table` was made from."""

    table: Ints
    weights: Floats


@dataclass(frozen=True, slots=True)
class Described:
    """A page with what does not depend on the model: measures, totals, shares, units per block, and page facts."""

    page: Page
    measures: Ints
    totals: Floats
    shares: Floats
    units: Floats
    facts: Ints


def token_weights(tokens: Ints, weights: Floats) -> TokenWeights:
    """Return the look-up of token hashes (int64, distinct) to their log-odds."""
    size = 16
    while size < 2 * len(tokens):
        size *= 2
    places = np.zeros((size, 2), np.int64)
    scores.make_table(tokens, places)
    return TokenWeights(places, weights)


def describe_page(page: Page) -> Described:
    """Return a page's blocks measured."""
    count = len(page.blocks)
    found = np.empty((count, measures.MEASURE_COLUMNS), np.int64)
    measures.measure(page.source, page.text, page.blocks, _heads(page), table(), found)
    totals = np.zeros((len(page.elements), containers.TOTAL_COLUMNS), np.float32)
    containers.total(page.elements, page.blocks, found, totals)
    shares = np.empty((count, containers.SHARE_COLUMNS), np.float32)
    containers.share(page.elements, page.blocks, found, shares)
    units = (found[:, measures.UNITS] / measures.UNIT).astype(np.float32)
    return Described(page, found, totals, shares, units, _facts(page))


def feature_matrix(described: Described, learned: TokenWeights, extra: int = 0) -> Floats:
    """Return the features (blocks, FEATURES + extra) float32; the extra columns are not set."""
    page = described.page
    scored = np.empty((len(page.elements), scores.SCORE_COLUMNS), np.float32)
    scores.score_elements(page.elements, page.tokens, learned.table, learned.weights, scored)
    matrix = np.empty((len(page.blocks), features.FEATURES + extra), np.float32)
    features.describe(
        page.elements, page.blocks, described.measures, scored, described.totals, described.shares,
        described.facts, matrix,
    )  # fmt: skip
    return matrix


def _heads(page: Page) -> Ints:
    """Return where the title and descriptions stand in the source, as `measure` wants them."""
    statements = names.names().statements
    bits = {layout.EVENT_TITLE: 1, statements.index("title"): 1, statements.index("description"): 2}
    rows = [[bits[kind], start, end] for kind, start, end in page.events.tolist() if kind in bits]
    return np.array(rows[:_HEADS], np.int64).reshape(-1, 3)


def _facts(page: Page) -> Ints:
    """Return what `features.describe` wants to know of the page as a whole."""
    kinds = names.names().statements
    called, dated = kinds.index("type"), kinds.index("published")
    article = published = 0
    for kind, start, end in page.events.tolist():
        if kind == called and not article:
            article = 1 if page.source[start:end].tobytes().strip().lower() == b"article" else 2
        elif kind == dated:
            published = 1
    return np.array([len(page.source), article, published], np.int64)
