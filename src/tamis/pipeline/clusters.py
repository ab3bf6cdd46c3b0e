"""What deduplication found, for the report: cluster sizes, the largest clusters, and removal rates with alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.dedup.documents import Docs, pack
from tamis.dedup.drops import of_unit
from tamis.pipeline.shelf import Shelf


class Reads(Protocol):
    """What reads one column by document number, such as `Survivors`."""

    def __call__(self, docs: Docs, /) -> pa.Array:
        """Return the values of documents, which ascend."""
        ...

    def rows(self, unit: int, /) -> int:
        """Return how many rows a unit has."""
        ...


Column = Callable[[Shelf, str], AbstractContextManager[Reads]]

HISTOGRAM = (2, 3, 5, 10, 100, 1000, 10_000)  # lower bounds of cluster sizes
LARGEST, SAMPLE_CHARS = 20, 120
DOMAINS = 20
# Units, evenly spaced, whose documents are counted by language and domain: a rate needs no more.
COUNTED_UNITS = 256
# A language or domain of which more than this share goes, with at least so many documents, is worth a look.
ALARM_SHARE, ALARM_DOCUMENTS = 0.5, 100


def found_clusters(shelf: Shelf, drops: pa.Table, clusters: pa.Table, column: Column) -> dict[str, Any]:
    """Return the facts of the verdict step.

    `cluster_sizes`: [lower bound, clusters]; `largest`: [id, size, start of the text]; `languages` and `domains`:
    [name, documents, removed], the domains being those that lose most; `alarms`: names of which more than half goes.
    """
    sizes = clusters.column("size").to_numpy()
    bins = np.searchsorted(HISTOGRAM, sizes, side="right") - 1
    histogram = [[low, int((bins == place).sum())] for place, low in enumerate(HISTOGRAM)]
    rates = {name: _rates(shelf, drops, column, name) for name in ("language", "url")}
    rates["url"] = sorted(rates["url"], key=lambda row: (-row[2], row[0]))[:DOMAINS]
    alarms = [
        [name, documents, removed]
        for rows in rates.values()
        for name, documents, removed in rows
        if documents >= ALARM_DOCUMENTS and removed > ALARM_SHARE * documents
    ]
    return {
        "cluster_sizes": histogram,
        "largest": _largest(shelf, clusters, column),
        "languages": rates["language"],
        "domains": rates["url"],
        "alarms": alarms,
    }


def _largest(shelf: Shelf, clusters: pa.Table, column: Column) -> list[list[Any]]:
    docs, sizes = clusters.column("doc").to_numpy(), clusters.column("size").to_numpy()
    mine = np.flatnonzero(shelf.is_new(docs))
    top = mine[np.lexsort([docs[mine], -sizes[mine]])][:LARGEST]
    asked = np.sort(docs[top])
    with column(shelf, "id") as ids, column(shelf, "text") as texts:
        names, starts = ids(asked).to_pylist(), pc.utf8_slice_codeunits(texts(asked), 0, SAMPLE_CHARS).to_pylist()
    told = dict(zip(asked.tolist(), zip(names, starts, strict=True), strict=True))
    return [
        [told[doc][0], size, told[doc][1]] for doc, size in zip(docs[top].tolist(), sizes[top].tolist(), strict=True)
    ]


def _rates(shelf: Shelf, drops: pa.Table, column: Column, name: str) -> list[list[Any]]:
    """Return [value, documents, removed] by a column's value, in order of the values."""
    documents: Counter[str] = Counter()
    removed: Counter[str] = Counter()
    units = range(shelf.first, len(shelf.places), max((len(shelf.places) - shelf.first) // COUNTED_UNITS, 1))
    with column(shelf, name) as fetch:
        for unit in units:
            gone = of_unit(drops, unit).column("row").to_numpy()
            values = fetch(pack(unit, np.arange(fetch.rows(unit))))
            names = [_domain(value) for value in values.to_pylist()] if name == "url" else values.to_pylist()
            documents.update(value for value in names if value)
            removed.update(names[row] for row in gone.tolist() if names[row])
    return [[value, documents[value], removed[value]] for value in sorted(documents)]


def _domain(url: str | None) -> str:
    try:
        return (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:
        return ""
