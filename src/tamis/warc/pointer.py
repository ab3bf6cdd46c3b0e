"""Pointers: the columns of an index that say where a record lies."""

from __future__ import annotations

import pyarrow as pa

POINTER = ("warc_filename", "warc_record_offset", "warc_record_length")


def is_index(schema: pa.Schema) -> bool:
    """Return whether a table points at records."""
    return all(name in schema.names for name in POINTER)
