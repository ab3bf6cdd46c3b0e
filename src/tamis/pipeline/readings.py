"""Readings: what the receipts of a run say of its input: files that end early, and how pages were decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from tamis.pipeline.manifest import Receipt
from tamis.warc.manifest import Source
from tamis.warc.record import DAMAGED, Record

ENDS_EARLY = "ends_early"
CHARSETS = "charsets"


def watched(records: Iterable[Record], name: str, facts: dict[str, Any]) -> Iterator[Record]:
    """Yield the records of a file as they come, and note as a fact where it ends inside one of them."""
    for record in records:
        if record.problem == "truncated" and record.type == DAMAGED:
            note_end(name, record.offset, facts)
        yield record


def note_end(name: str, offset: int, facts: dict[str, Any]) -> None:
    """Note as a fact that a file ends inside what begins at an offset."""
    facts.setdefault(ENDS_EARLY, {})[name] = offset


def count_charset(rule: str, facts: dict[str, Any]) -> None:
    """Count a page under what decided its charset (`tamis.text.encoding.Decoded.rule`)."""
    counts = facts.setdefault(CHARSETS, {})
    counts[rule] = counts.get(rule, 0) + 1


def cut_short(sources: Iterable[Source], receipts: Iterable[Receipt]) -> list[Source]:
    """Return the sources that end inside a record, told where. They were read as far as they go; a whole file in their
    place is read by the next run."""
    ends: dict[str, int] = {}
    for receipt in receipts:
        ends.update(receipt.facts.get(ENDS_EARLY, {}))
    return [
        replace(source, problem=f"ends early, inside what begins at byte {ends[source.name]}")
        for source in sources
        if source.name in ends
    ]


def decoded(receipts: Iterable[Receipt]) -> list[str]:
    """Return a sentence on what decided the charset of how many pages, the commonest first, if any were decoded."""
    counts: Counter[str] = Counter()
    for receipt in receipts:
        counts.update(receipt.facts.get(CHARSETS, {}))
    if not counts:
        return []
    told = ", ".join(
        f"{rule} {count:,}" for rule, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    )
    return [f"What decided the charset of pages: {told}."]
