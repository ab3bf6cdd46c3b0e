"""The one-call form: which of these texts are duplicates, and of which."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from tamis.columns import as_text
from tamis.dedup.bands import candidates
from tamis.dedup.components import find_components
from tamis.dedup.documents import Docs, rows_of
from tamis.dedup.drops import combine
from tamis.dedup.exact import exact_duplicates, url_duplicates
from tamis.dedup.minhash import sign
from tamis.dedup.options import DedupOptions, band_names
from tamis.dedup.urls import url_keys
from tamis.dedup.verdicts import resolve


def deduplicate(
    texts: Sequence[str | None] | pa.Array | pa.ChunkedArray,
    *,
    threshold: float = 0.8,
    bands: int = 14,
    rows_per_band: int = 8,
    shingle_words: int = 5,
    shingle_chars: int = 0,
    seed: int = 1,
    survivor: Literal["first", "longest"] = "first",
    languages: Sequence[str | None] | pa.Array | None = None,
    urls: Sequence[str | None] | pa.Array | None = None,
    measure: Literal["jaccard", "containment"] = "jaccard",
    memory: int = 1 << 30,
) -> pa.Table:
    """Return the duplicates among `texts`: `row`, `kept_row` (int64), `similarity` (float32), by `row`.

    One row per removed text; its kept text is itself kept, and their true Jaccard similarity on shingles is at least
    `threshold`, or 1 for exact duplicates. Options are those of `DedupOptions`. With `languages`, texts are compared
    within a language only; with `urls`, texts of one URL are duplicates too (similarity null). Nulls and texts without
    content are never duplicates. `memory` (bytes) bounds what is sorted and compared at once, beside the texts.
    """
    options = DedupOptions(
        bands, rows_per_band, shingle_words, shingle_chars, threshold, seed,
        "global" if languages is None else "language", survivor, measure=measure,
    )  # fmt: skip
    column = as_text(texts)
    signed = sign(column, options)
    if languages is not None:
        signed = signed.append_column("language", as_text(languages))
    if survivor == "longest":
        signed = signed.append_column("priority", pa.compute.binary_length(column))

    def fetch(docs: Docs) -> pa.Array:
        return column.take(pa.array(rows_of(docs)))

    with tempfile.TemporaryDirectory(prefix="tamis-dedup-") as folder:
        scratch = Path(folder)
        by_url = None
        if urls is not None:
            keyed = signed.set_column(0, "exact", url_keys(as_text(urls)))
            by_url = url_duplicates([(0, keyed)], options, memory=memory, scratch=scratch)
        exact = exact_duplicates([(0, signed)], options, memory=memory, scratch=scratch, urls=by_url)
        buckets = [
            batch
            for band in range(len(band_names(options)))
            for batch in candidates([(0, signed)], band, options, memory=memory, scratch=scratch)
        ]
        components = find_components(lambda: buckets, exclude=exact.column("doc").to_numpy())
        members = [batch for _, batch in components.split(lambda: buckets, 1)]
        near = resolve(members, fetch, options, memory=memory, scratch=scratch)
    drops = combine(exact, near)
    return pa.table(
        {
            "row": rows_of(drops.column("doc").to_numpy()),
            "kept_row": rows_of(drops.column("kept_doc").to_numpy()),
            "similarity": drops.column("similarity"),
        }
    )
