"""The drop list: for each removed document which one was kept instead, how similar it is, and why."""

from __future__ import annotations

import numpy as np
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
    near = near.sort_by("doc")
    gone, heirs = near.column("doc").to_numpy(), near.column("kept_doc").to_numpy()
    doc, kept = exact.column("doc").to_numpy(), exact.column("kept_doc").to_numpy().copy()
    at = np.minimum(np.searchsorted(gone, kept), max(len(gone) - 1, 0))
    moved = gone[at] == kept if len(gone) else np.zeros(len(kept), np.bool_)
    scores, bands = near.column("similarity").to_numpy(), near.column("band").to_numpy()
    similarity = np.ones(len(doc), np.float32)
    band = np.full(len(doc), -1, np.int16)
    kept[moved], similarity[moved], band[moved] = heirs[at[moved]], scores[at[moved]], bands[at[moved]]
    docs, keepers = np.concatenate([doc, gone]), np.concatenate([kept, heirs])
    band = np.concatenate([band, bands])
    _, inverse, counts = np.unique(keepers, return_inverse=True, return_counts=True)
    kinds = pc.if_else(pa.array(band < 0), "exact", "near")
    by_url = np.zeros(len(docs), np.bool_)
    by_url[: len(doc)] = pc.equal(exact.column("kind"), "url").to_numpy()
    columns = [
        docs,
        keepers,
        pa.array(np.concatenate([similarity, scores]), mask=by_url),
        pc.if_else(pa.array(by_url), "url", kinds),
        pa.array(band, mask=(band < 0) | by_url),
        (counts[inverse] + 1).astype(np.int32),
    ]
    return pa.table(columns, schema=DROPS).take(pa.array(np.argsort(docs)))


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
