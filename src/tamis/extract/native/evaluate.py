r"""How well a text matches its gold: precision, recall and F1 over tokens, as the published comparisons count them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_SINGLE = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[{_SINGLE}]|[^\W{_SINGLE}]+")


def split_tokens(text: str) -> list[str]:
    r"""Return lower-cased runs of `\w`, and each Han or Kana character alone."""
    return _TOKEN.findall(text.lower())


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 of one page, or their macro averages."""

    precision: float
    recall: float
    f1: float


def score(found: Sequence[str], gold: Sequence[str]) -> Score:
    """Return the scores of one page by the multisets of its tokens; all 0 where nothing is shared."""
    common = sum((Counter(found) & Counter(gold)).values())
    if not common:
        return Score(0.0, 0.0, 0.0)
    precision, recall = common / len(found), common / len(gold)
    return Score(precision, recall, 2 * precision * recall / (precision + recall))


def macro(scores: Sequence[Score]) -> Score:
    """Return the mean of each measure over pages; zeros for none."""
    count = max(len(scores), 1)
    return Score(
        sum(page.precision for page in scores) / count,
        sum(page.recall for page in scores) / count,
        sum(page.f1 for page in scores) / count,
    )
