"""The columns stages meet through, and the tables a run leaves behind. 64-bit offsets everywhere."""

from __future__ import annotations

import pyarrow as pa

TEXT = pa.large_string()

# Languages before one is known, and documents no identifier could place.
UNDETERMINED = "und"

# What identifies a document, whether it came as a page (WARC) or as ready-made text (Parquet, JSONL, WET).
PAGE = pa.schema(
    [
        pa.field("id", TEXT, nullable=False),
        pa.field("url", TEXT),
        pa.field("date", TEXT),  # ISO 8601 as the source states it
        pa.field("source_bytes", pa.int64(), nullable=False),  # payload bytes after content decoding
    ]
)

# What curate keeps of every document whose text was extracted, whether later kept or dropped.
EXTRACTED = pa.schema(
    [
        *PAGE,
        pa.field("title", TEXT),
        pa.field("text", TEXT, nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),  # UTF-8 bytes of text
        pa.field("chars", pa.int64(), nullable=False),  # Unicode code points of text
        pa.field("tokens", pa.int64(), nullable=False),  # of the recipe's tokenizer, without special tokens
        pa.field("language", TEXT, nullable=False),  # iso639-3_Script
        pa.field("language_score", pa.float32(), nullable=False),
        pa.field("language_share", pa.float32(), nullable=False),  # of the letters seen, those in that language
        pa.field("rival_language", TEXT),  # the next best answer
        pa.field("rival_score", pa.float32(), nullable=False),
        pa.field("second_language", TEXT),  # of a document in two languages, else null
        pa.field("second_share", pa.float32(), nullable=False),
        pa.field("cantonese_share", pa.float32(), nullable=False),  # of Han characters, those only Cantonese uses
    ]
)

# dropped/*.parquet: one row per document that did not survive.
DROPPED = pa.schema(
    [
        pa.field("id", TEXT, nullable=False),
        pa.field("url", TEXT),
        pa.field("language", TEXT, nullable=False),
        pa.field("step", TEXT, nullable=False),
        pa.field("reason", TEXT, nullable=False),
        pa.field("value", pa.float64()),  # what was measured
        pa.field("threshold", pa.float64()),  # the bound it missed
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("chars", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("sample", TEXT),  # start of the text, for a bounded, seeded share of the rows
        pa.field("kept_id", TEXT),  # duplicates: the document kept instead
        pa.field("similarity", pa.float32()),  # duplicates: Jaccard similarity of the two
        pa.field("detail", TEXT),  # tracebacks, damage offsets and the like
    ]
)

# ledger.parquet: for every (step, language), in = kept + Σ dropped, in each of the four measures.
LEDGER = pa.schema(
    [
        pa.field("step", TEXT, nullable=False),
        pa.field("language", TEXT, nullable=False),
        pa.field("outcome", TEXT, nullable=False),  # in | kept | dropped
        pa.field("reason", TEXT, nullable=False),  # empty unless dropped
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("chars", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)
