"""The drop list: for each removed document which one was kept instead, how similar it is, and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tamis.dedup.documents import Docs, rows_of

# A cluster is a kept document with all that were removed in its favour; its number is the kept document's.
DROPS = pa.schema(
    [
        pa.field("doc", pa.uint64(), nullable=False),
        pa.field("kept_doc", pa.uint64(), nullable=False),
        pa.field("similarity", pa.float32()),  # verified, to the kept document; 1 for exact, null by URL
        pa.field("kind", pa.string(), nullable=False),  # exact | near | url
        pa.field("band", pa.int16()),  # the first band in which the two met; null for exact
        pa.field("size", pa.int32(), nullable=False),  # documents of the cluster, the kept one included
    ]
)


def combine(exact: pa.Table, near: pa.Table) -> pa.Table:
    """Return the drop list (`DROPS`, by `doc`) of exact duplicates and of near ones found among the rest.

    An exact copy of a document that was itself removed as a near duplicate names that one's survivor.
    """
    gone, heirs = near.column("doc").to_numpy(), near.column("kept_doc").to_numpy()
    doc, given = exact.column("doc").to_numpy(), exact.column("kept_doc").to_numpy()
    by_doc = np.argsort(gone)
    at = by_doc[np.minimum(np.searchsorted(gone, given, sorter=by_doc), max(len(gone) - 1, 0))] if len(gone) else by_doc
    moved = np.flatnonzero(gone[at] == given) if len(gone) else np.empty(0, np.int64)
    at = at[moved]
    order = np.argsort(np.concatenate([doc, gone]))

    def column(of_exact: npt.NDArray[Any], of_near: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a column by document, exact duplicates of near ones having what those have."""
        of_exact[moved] = of_near[at]
        return np.concatenate([of_exact, of_near])[order]

    kept = column(given.copy(), heirs)
    band = column(np.full(len(doc), -1, np.int16), near.column("band").to_numpy())
    similarity = column(np.ones(len(doc), np.float32), near.column("similarity").to_numpy())
    by_url = np.zeros(len(order), np.bool_)
    by_url[: len(doc)] = pc.equal(exact.column("kind"), "url").to_numpy()
    by_url = by_url[order]
    kinds = np.where(by_url, 2, np.where(band < 0, 0, 1)).astype(np.int8)
    columns = [
        np.concatenate([doc, gone])[order],
        kept,
        pa.array(similarity, mask=by_url),
        pa.array(["exact", "near", "url"]).take(pa.array(kinds)),
        pa.array(band, mask=(band < 0) | by_url),
        _sizes(kept),
    ]
    return pa.table(columns, schema=DROPS)


def _sizes(kept: Docs) -> npt.NDArray[np.int32]:
    """Return for each document how many documents its cluster has, the kept one included."""
    order = np.argsort(kept)
    ordered = kept[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(order) else order
    counts = np.diff(np.append(starts, len(order)))
    sizes = np.empty(len(order), np.int32)
    sizes[order] = np.repeat((counts + 1).astype(np.int32), counts)
    return sizes


def cluster_sizes(drops: pa.Table) -> pa.Table:
    """Return `doc` (kept) and `size` of every cluster of two documents and more, by `doc`."""
    kept, first = np.unique(drops.column("kept_doc").to_numpy(), return_index=True)
    return pa.table({"doc": kept, "size": drops.column("size").to_numpy()[first]})


def of_unit(table: pa.Table, unit: int) -> pa.Table:
    """Return the rows of one unit of work, with a `row` (int64) column first; `table` is sorted by `doc`."""
    docs: Docs = table.column("doc").to_numpy()
    begin, end = np.searchsorted(docs, np.array([unit << 32, (unit << 32) + 0xFFFFFFFF], np.uint64))
    end = int(end) + int(end < len(docs) and docs[end] == (unit << 32) + 0xFFFFFFFF)
    part = table.slice(int(begin), end - int(begin))
    return part.add_column(0, "row", pa.array(rows_of(docs[int(begin) : end])))
