"""Figures of a model on labelled lines: precision, recall and F1 per language, and who is taken for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tamis.langid.decide import Doubt
from tamis.langid.identifier import Identifier, Sampling
from tamis.langid.model import Model

# A line gets an answer always: abstaining is measured apart from telling languages from one another.
SURE = Doubt(())


@dataclass(frozen=True, slots=True)
class Figures:
    """How often each (source, true code) was given each answer."""

    counts: Counter[tuple[str, str, str]]

    def sources(self) -> list[str]:
        """Return the sources, sorted."""
        return sorted({source for source, _, _ in self.counts})

    def of(self, code: str, source: str | None = None) -> dict[str, float]:
        """Return lines, precision, recall and F1 of one language, in one source or in all."""
        right = all_true = all_said = 0
        for (where, true, said), count in self.counts.items():
            if source is None or where == source:
                right += count * (true == said == code)
                all_true += count * (true == code)
                all_said += count * (said == code)
        precision = right / all_said if all_said else 0.0
        recall = right / all_true if all_true else 0.0
        f1 = 2 * precision * recall / (precision + recall) if right else 0.0
        return {"lines": all_true, "precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}

    def macro_f1(self, source: str | None = None, among: Iterable[str] | None = None, least: int = 1) -> float:
        """Return the mean F1 over the languages with at least `least` test lines (of `among` them, where given)."""
        found = Counter[str]()
        for (where, true, _), count in self.counts.items():
            if source is None or where == source:
                found[true] += count
        chosen = sorted(code for code in found if found[code] >= least and (among is None or code in set(among)))
        scores = [self.of(code, source)["f1"] for code in chosen]
        return round(sum(scores) / len(scores), 4) if scores else 0.0

    def confusions(self, codes: Sequence[str]) -> list[list[int]]:
        """Return counts of shape (len(codes), len(codes) + 1): true by said, the last column any other answer."""
        table = [[0] * (len(codes) + 1) for _ in codes]
        place = {code: index for index, code in enumerate(codes)}
        for (_, true, said), count in self.counts.items():
            if true in place:
                table[place[true]][place.get(said, len(codes))] += count
        return table


def lines(model: Model, rows: Sequence[tuple[str, str, str]]) -> Figures:
    """Return the figures over (code, text, source) rows, identified one by one without abstaining."""
    identifier = Identifier(model.path, Sampling(), SURE)
    said = identifier.identify(pa.array([text for _, text, _ in rows], pa.large_string())).field("language").to_pylist()
    return Figures(Counter((source, code, answer) for (code, _, source), answer in zip(rows, said, strict=True)))
