"""Ranking: which column says who of a cluster stays, and what it says as a number."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.dedup.options import DedupOptions


def rank_column(options: DedupOptions) -> str | None:
    """Return the column that the survivor is chosen by, or None where document order decides."""
    columns = {"longest": "bytes", "newest": "date", "source": "id", "score": options.score_column}
    return columns.get(options.survivor)


def priorities(values: pa.Array, options: DedupOptions) -> pa.Array:
    """Return the priority of documents, float64, higher stays, from `rank_column`'s values; null where there is none.

    Dates count by their first fourteen digits (ISO 8601 down to the second); those that state less count as earliest
    in what they leave out.
    """
    if options.survivor == "newest":
        digits = pc.utf8_slice_codeunits(pc.replace_substring_regex(values, "[^0-9]", ""), 0, 14)
        padded = pc.utf8_rpad(digits, 14, padding="0")
        return pc.cast(pc.if_else(pc.equal(pc.utf8_length(digits), 0), None, padded), pa.float64())
    if options.survivor == "source":
        ranks = np.full(len(values), -len(options.sources), np.float64)
        for place in reversed(range(len(options.sources))):
            found = pc.fill_null(pc.starts_with(values, options.sources[place]), False)
            ranks[found.to_numpy(zero_copy_only=False)] = -place
        return pa.array(ranks)
    return pc.cast(values, pa.float64())
