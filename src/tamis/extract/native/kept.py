"""From a scanned page to the text that is kept, in one kernel: between ten of them, Python would cost as much as three.

`describe`, `model` and `cut` have the same steps one by one, for training and for looking into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.extract.native import containers, features, measure, tokens
from tamis.extract.native.assemble import MOST_ADDED, is_normal, join_blocks
from tamis.extract.native.blocks import Page
from tamis.extract.native.cut import cut
from tamis.extract.native.describe import HEADS, read_facts
from tamis.extract.native.model import Model
from tamis.extract.native.names import names
from tamis.extract.native.smooth import SECOND_FEATURES, smooth
from tamis.extract.native.trees import add_forest, to_chances
from tamis.extract.normal import normal_form
from tamis.text.kernel import kernel
from tamis.text.unicode import table

FEATURES = features.FEATURES
# float32 per block (units, sums of leaves, probability, shares, features of both stages) and per element.
_PER_BLOCK = 3 + containers.SHARE_COLUMNS + FEATURES + SECOND_FEATURES
_PER_ELEMENT = containers.TOTAL_COLUMNS + tokens.SCORE_COLUMNS
# What the kernel says besides: expected F-score, units of the whole page.
_SCORE, _WHOLE = range(2)


@dataclass(frozen=True, slots=True)
class Kept:
    """The text of the blocks kept, in normal form; the expected F-score of the cut; units of text on the whole page."""

    text: str
    score: float
    units: float


def keep_text(page: Page, model: Model, recall: float, markdown: bool) -> Kept:
    """Return what `model` keeps of a page; `recall` and `markdown` as in `Native`."""
    count, room, learned = len(page.blocks), page.room, model.tokens
    first = model.stages[0]
    second = model.stages[1] if len(model.stages) > 1 else first.without_trees()
    floats = room.table("floats", np.float32, count * _PER_BLOCK + len(page.elements) * _PER_ELEMENT)
    measures = room.table("measures", np.int64, count, measure.MEASURE_COLUMNS)
    out = room.table("out", np.uint8, len(page.text) + MOST_ADDED * (count + 1))
    told = np.empty(2)
    size, normal = fill(
        page.source, page.text, page.elements, page.tokens, page.classes, page.class_tokens, page.blocks, page.events,
        names().roles, table(), learned.table, learned.weights, learned.tags,
        first.columns, first.starts, first.thresholds, first.trees, first.masks, first.leaves,
        second.columns, second.starts, second.thresholds, second.trees, second.masks, second.leaves,
        float(recall), markdown, floats, measures, out, told,
    )  # fmt: skip
    text = out[:size].tobytes().decode("utf-8", "replace")
    return Kept(text if normal else normal_form(text), float(told[_SCORE]), float(told[_WHOLE]))


def join_chosen(page: Page, chosen: npt.NDArray[np.uint8], markdown: bool) -> str:
    """Return the text of blocks chosen by somebody else, in normal form; `chosen` (blocks,) is 1 for those to keep."""
    out = np.empty(len(page.text) + MOST_ADDED * (len(page.blocks) + 1), np.uint8)
    size = join_blocks(page.text, page.elements, page.blocks, chosen, markdown, out)
    text = out[:size].tobytes().decode("utf-8", "replace")
    return text if is_normal(out, size) else normal_form(text)


@kernel
def fill(  # long: many tables, one line for each step
    source: Any, text: Any, elements: Any, names: Any, classes: Any, class_names: Any, blocks: Any, events: Any,
    roles: Any, letters: Any, places: Any, weights: Any, tags: Any,
    columns: Any, starts: Any, thresholds: Any, trees: Any, masks: Any, leaves: Any,
    columns_2: Any, starts_2: Any, thresholds_2: Any, trees_2: Any, masks_2: Any, leaves_2: Any,
    recall: Any, markdown: Any, floats: Any, measures: Any, out: Any, told: Any,
) -> Any:  # fmt: skip
    """Write the kept text to `out` and what `told` is told; return (bytes of it, whether it is sure to be normal).

    The tables are a `Page`'s, a `TokenWeights`' and two `Stage`s', the second without trees where there is one stage.
    `floats` (see `_PER_BLOCK`) and `measures` are room for what lies between.
    """
    count = len(blocks)
    rows = len(elements)
    heads = np.empty((HEADS, 3), np.int64)
    facts = np.zeros(3, np.int64)
    heads = heads[: read_facts(source, events, roles, heads, facts)]
    units = floats[:count]
    raw = floats[count : 2 * count]
    chances = floats[2 * count : 3 * count]
    at = 3 * count
    shares = floats[at : at + count * containers.SHARE_COLUMNS].reshape(count, containers.SHARE_COLUMNS)
    at += count * containers.SHARE_COLUMNS
    wide = FEATURES + SECOND_FEATURES
    matrix = floats[at : at + count * wide].reshape(count, wide)
    at += count * wide
    totals = floats[at : at + rows * containers.TOTAL_COLUMNS].reshape(rows, containers.TOTAL_COLUMNS)
    at += rows * containers.TOTAL_COLUMNS
    scores = floats[at : at + rows * tokens.SCORE_COLUMNS].reshape(rows, tokens.SCORE_COLUMNS)
    measure.measure(source, text, blocks, heads, letters, measures, units)
    totals[:] = 0
    containers.surround(elements, blocks, measures, totals, shares)
    told[_SCORE] = 0.0
    told[_WHOLE] = totals[0, containers.UNITS]
    if count == 0:
        return 0, True
    tokens.score_elements(elements, names, classes, class_names, places, weights, tags, scores)
    features.describe(elements, blocks, measures, scores, totals, shares, facts, matrix)
    raw[:] = 0
    add_forest(matrix, columns, starts, thresholds, trees, masks, leaves, raw)
    to_chances(raw, chances)
    if len(leaves_2):
        smooth(elements, blocks, shares, units, chances, matrix, FEATURES)
        raw[:] = 0
        add_forest(matrix, columns_2, starts_2, thresholds_2, trees_2, masks_2, leaves_2, raw)
        to_chances(raw, chances)
    chosen = np.empty(count, np.uint8)
    told[_SCORE] = cut(chances, units, recall, facts[1] == 1, chosen)
    size = join_blocks(text, elements, blocks, chosen, markdown, out)
    return size, is_normal(out, size)
