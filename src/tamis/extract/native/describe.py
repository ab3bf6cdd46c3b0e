"""A page's blocks described: the tables that features are made from, and the features under a set of token weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.extract.native import containers, features, layout, names
from tamis.extract.native import measure as measures
from tamis.extract.native import tokens as scores
from tamis.extract.native.blocks import Ints, Page
from tamis.extract.native.markup import look_up, value_hash
from tamis.text.kernel import kernel
from tamis.text.unicode import table

Floats = npt.NDArray[np.float32]
HEADS = 4
_ARTICLE = names.name_hash("article")


@dataclass(frozen=True, slots=True)
class TokenWeights:
    """Learned log-odds: `weights` (n,) float32 in the order of the tokens `table` was made from, `tags` by number."""

    table: Ints
    weights: Floats
    tags: Floats


@dataclass(frozen=True, slots=True)
class Described:
    """A page with what does not depend on the model: measures, totals, shares, units per block, and page facts."""

    page: Page
    measures: Ints
    totals: Floats
    shares: Floats
    units: Floats
    facts: Ints

    @property
    def article(self) -> bool:
        """Whether the page says that it is an article."""
        return bool(self.facts[1] == 1)


def token_weights(tokens: Ints, weights: Floats) -> TokenWeights:
    """Return the look-up of token hashes (int64, distinct) to their log-odds."""
    size = 16
    while size < 2 * len(tokens):
        size *= 2
    places = np.zeros((size, 2), np.int64)
    scores.make_table(tokens, places)
    numbers = [look_up(places, np.int64(scores.tag_token(tag))) for tag in range(len(names.names().tags))]
    tags = [weights[number] if number >= 0 else 0.0 for number in numbers]
    return TokenWeights(places, weights, np.array(tags, np.float32))


def describe_page(page: Page) -> Described:
    """Return a page's blocks measured."""
    count, room = len(page.blocks), page.room
    heads, facts = np.empty((HEADS, 3), np.int64), np.zeros(3, np.int64)
    heads = heads[: read_facts(page.source, page.events, names.names().roles, heads, facts)]
    found = room.table("measures", np.int64, count, measures.MEASURE_COLUMNS)
    units = room.table("units", np.float32, count)
    measures.measure(page.source, page.text, page.blocks, heads, table(), found, units)
    totals = room.table("totals", np.float32, len(page.elements), containers.TOTAL_COLUMNS)
    totals[:] = 0
    shares = room.table("shares", np.float32, count, containers.SHARE_COLUMNS)
    containers.surround(page.elements, page.blocks, found, totals, shares)
    return Described(page, found, totals, shares, units, facts)


def feature_matrix(described: Described, learned: TokenWeights, extra: int = 0) -> Floats:
    """Return the features (blocks, FEATURES + extra) float32; the extra columns are not set."""
    page = described.page
    scored = page.room.table("scores", np.float32, len(page.elements), scores.SCORE_COLUMNS)
    scores.score_elements(
        page.elements, page.tokens, page.classes, page.class_tokens, learned.table, learned.weights, learned.tags,
        scored,
    )  # fmt: skip
    matrix: Floats = page.room.table("features", np.float32, len(page.blocks), features.FEATURES + extra)
    features.describe(
        page.elements, page.blocks, described.measures, scored, described.totals, described.shares,
        described.facts, matrix,
    )  # fmt: skip
    return matrix


@kernel
def read_facts(source: Any, events: Any, roles: Any, heads: Any, facts: Any) -> Any:
    """Write where title and descriptions stand to `heads` (n, 3), as `measure` wants them; return how many.

    `facts` (3,) gets what `features.describe` wants to know of the page as a whole. `roles` are `names.Names.roles`.
    """
    count = 0
    facts[0] = len(source)
    for event in range(len(events)):
        role = roles[events[event, layout.KIND]]
        start, end = events[event, layout.FROM], events[event, layout.TO]
        if role & (names.ROLE_TITLE | names.ROLE_ABOUT) and count < len(heads):
            heads[count, 0] = role
            heads[count, 1] = start
            heads[count, 2] = end
            count += 1
        elif role == names.ROLE_TYPE and not facts[1]:
            facts[1] = 1 if value_hash(source, start, end) == _ARTICLE else 2
        elif role == names.ROLE_PUBLISHED:
            facts[2] = 1
    return count
