"""Whereabouts: which documents of each group of units are resolved, and in which partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from tamis.dedup.components import Parts
from tamis.dedup.documents import Docs

WHERE = pa.schema([pa.field("doc", pa.uint64(), nullable=False), pa.field("part", pa.uint16(), nullable=False)])
_ROWS = 1 << 18


def by_group(members: Iterable[tuple[Docs, Parts]], groups: int, units: int) -> Iterator[list[pa.RecordBatch]]:
    """Yield each group's members as batches of a fixed size, whatever the pieces they come in; `members` ascend."""
    docs, parts = np.empty(0, np.uint64), np.empty(0, np.uint16)
    source = iter(members)
    for group in range(1, groups + 1):
        bound = group * units // groups << 32
        while not len(docs) or int(docs[-1]) < bound:
            more = next(source, None)
            if more is None:
                break
            docs, parts = np.concatenate([docs, more[0]]), np.concatenate([parts, more[1]])
        end = int(np.searchsorted(docs, np.uint64(bound)))
        batch = pa.record_batch([docs[:end], parts[:end]], schema=WHERE)
        docs, parts = docs[end:], parts[end:]
        yield [batch.slice(start, _ROWS) for start in range(0, max(end, 1), _ROWS)]


def units_of_group(groups: Sequence[str], name: str, units: int) -> range:
    """Return which of so many units are a group's."""
    place = list(groups).index(name)
    return range(place * units // len(groups), (place + 1) * units // len(groups))
