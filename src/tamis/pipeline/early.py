"""Early exit: a page whose visible text is too short, or of a language nobody asked for, spares a dear extractor.

One in 32 of them is extracted all the same, and judged by its text: how often both ways agree is a fact of the receipt.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tamis.extract.quick import quick_text
from tamis.langid.groups import group_of
from tamis.pipeline import languages, models
from tamis.pipeline.manifest import Receipt
from tamis.pipeline.pages import Page
from tamis.pipeline.settings import Settings
from tamis.text.encoding import as_utf8

SHORT, LANGUAGE = "early_short", "early_language"
# No filter lets a text of fewer characters pass.
_LEAST_CHARS = 25
# Of a page's visible text the language must be that sure.
_SURE = 0.9
_CHECKED_ONE_IN = 32


def agreement(receipts: Iterable[Receipt]) -> list[str]:
    """Return a sentence on how many pages left early in a run, and how often those checked were rightly let go."""
    facts = [each.facts["early_exit"] for each in receipts if "early_exit" in each.facts]
    if not facts:
        return []
    seen, left, checked, agreed = (sum(each[name] for each in facts) for name in ("seen", "left", "checked", "agreed"))
    return [f"Early exit: {left} of {seen} pages left; {checked} of them were extracted all the same, {agreed} agreed."]


@dataclass(slots=True)
class EarlyExit:
    """The pages of one unit; `facts` gets `early_exit`: pages `seen`, `left`, and of those `checked` and `agreed`."""

    settings: Settings
    facts: dict[str, Any]
    _checked: dict[str, str] = field(default_factory=dict)

    def reasons(self, pages: Sequence[Page]) -> dict[str, str]:
        """Return why pages need no extraction, by page id; nothing where the recipe does not ask for early exit."""
        if not self.settings.extract.early_exit:
            return {}
        pages = [page for page in pages if page.html]
        texts = [quick_text(as_utf8(page.payload, header_charset=page.charset)) for page in pages]
        unwanted = self._unwanted(texts, _SURE)
        found: dict[str, str] = {}
        for page, text, stranger in zip(pages, texts, unwanted, strict=True):
            reason = SHORT if len(text.strip()) < _LEAST_CHARS else LANGUAGE if stranger else ""
            if reason and zlib.crc32(page.id.encode()) % _CHECKED_ONE_IN == 0:
                self._checked[page.id] = reason
            elif reason:
                found[page.id] = reason
        counts = self.facts.setdefault("early_exit", {"seen": 0, "left": 0, "checked": 0, "agreed": 0})
        counts["seen"] += len(pages)
        counts["left"] += len(found) + len(self._checked)
        return found

    def check(self, page: Page, text: str) -> None:
        """Compare what was extracted from a page that was to leave early with what was made of it."""
        reason = self._checked.pop(page.id, None)
        if reason is not None:
            agreed = len(text.strip()) < _LEAST_CHARS or (reason == LANGUAGE and self._unwanted([text], 0.0)[0])
            self.facts["early_exit"]["checked"] += 1
            self.facts["early_exit"]["agreed"] += agreed

    def _unwanted(self, texts: list[str], sure: float) -> list[bool]:
        """Return whether each text is surely in a language that the recipe does not keep, and its rival is neither."""
        keep = self.settings.langid.keep
        if keep is None or not texts:
            return [False] * len(texts)
        said = languages.identified(models.identifier(self.settings.langid.model).identify(texts))
        names = ("language", "rival_language", "language_score")
        rows = list(zip(*(said[name].to_pylist() for name in names), strict=True))
        # A policy for confusable languages may make a language that is kept of one that is not.
        wanted = [
            {language, rival, group_of(language), group_of(rival or "")} & set(keep) for language, rival, _ in rows
        ]
        return [not each and (score or 0.0) >= sure for each, (_, _, score) in zip(wanted, rows, strict=True)]
