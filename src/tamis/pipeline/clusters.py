"""What deduplication found, for the report: cluster sizes, the largest clusters, and removal rates with alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.dedup.documents import Docs, pack
from tamis.dedup.drops import of_unit
from tamis.dedup.options import DedupOptions
from tamis.errors import OutputError
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
# Of fewer documents, a share says little.
ALARM_DOCUMENTS = 100


def found_clusters(
    shelf: Shelf, drops: pa.Table, clusters: pa.Table, column: Column, options: DedupOptions
) -> dict[str, Any]:
    """Return the facts of the verdict step.

    `cluster_sizes`: [lower bound, clusters]; `largest`: [id, size, start of the text]; `languages` and `domains`:
    [name, documents, removed], the domains being those that lose most; `short`: [documents of too few shingles to be
    compared but exactly, documents]; `alarms`: those of which more goes than `options.alarm_share`. Raises OutputError
    where there are any and `options.on_alarm` says to stop.
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
        if documents >= ALARM_DOCUMENTS and removed > options.alarm_share * documents
    ]
    if alarms and options.on_alarm == "stop":
        raise OutputError(
            f"{alarm_text(alarms[0])}; {len(alarms)} such alarms in all.",
            'Look for a template or an error page among their texts; dedup.on_alarm = "warn" lets the run go on.',
        )
    return {
        "cluster_sizes": histogram,
        "largest": _largest(shelf, clusters, column),
        "languages": rates["language"],
        "domains": rates["url"],
        "short": _short(shelf, column, options),
        "alarms": alarms,
    }


def alarm_text(alarm: Sequence[Any]) -> str:
    """Return an alarm of the facts as a sentence without its full stop."""
    name, documents, removed = alarm
    share = removed / max(documents, 1)
    return f"Deduplication removes {share:.0%} of {name} ({removed:,} of {documents:,} documents looked at)"


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
    with column(shelf, name) as fetch:
        for unit in _counted(shelf):
            gone = of_unit(drops, unit).column("row").to_numpy()
            values = fetch(pack(unit, np.arange(fetch.rows(unit))))
            names = [_domain(value) for value in values.to_pylist()] if name == "url" else values.to_pylist()
            documents.update(value for value in names if value)
            removed.update(names[row] for row in gone.tolist() if names[row])
    return [[value, documents[value], removed[value]] for value in sorted(documents)]


def _short(shelf: Shelf, column: Column, options: DedupOptions) -> list[int]:
    short = documents = 0
    with column(shelf, "shingles") as fetch:
        for unit in _counted(shelf):
            counts = fetch(pack(unit, np.arange(fetch.rows(unit)))).to_numpy(zero_copy_only=False)
            short, documents = short + int((counts < options.floor).sum()), documents + len(counts)
    return [short, documents]


def _counted(shelf: Shelf) -> range:
    """Return the units whose documents are counted."""
    return range(shelf.first, len(shelf.places), max((len(shelf.places) - shelf.first) // COUNTED_UNITS, 1))


def _domain(url: str | None) -> str:
    try:
        return (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:
        return ""
