"""Repeated lines: lines and paragraphs that many documents share, cut whole (Wenzek et al. 2020, CCNet, arXiv
1911.00359, §3.2, on paragraphs).

Two passes. The first counts in how many documents each line occurs, by an external sort; the second cuts lines above
the bound. We differ: a line goes by the number of documents that have it, not at its second occurrence, so that the
answer knows no order and no copy is the lucky one; letters, digits and marks are compared in full (CCNet strips
accents); and a line that carries a sentence on from, or over to, a line that stays is left alone. Lines end where text
has line breaks, so no grapheme is cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.columns import as_text
from tamis.dedup.documents import Docs, Stream, document_ids
from tamis.dedup.exact import exact_keys
from tamis.dedup.options import DedupOptions, LineOptions
from tamis.dedup.shingle import composed, shingle_hashes
from tamis.dedup.spill import Sorter, repeated

Keys = npt.NDArray[np.uint64]

_RECORD = np.dtype([("line", np.uint64), ("doc", np.uint64)])
_COUNT = np.dtype([("line", np.uint64), ("documents", np.uint64)])

COUNTED = pa.schema([pa.field("line", pa.uint64(), nullable=False), pa.field("documents", pa.uint32(), nullable=False)])

_LINES = re.compile("[^\\r\\n\u2028\u2029\x85]*(?:\\r\\n|[\\r\\n\u2028\u2029\x85]|$)")
_PARAGRAPHS = re.compile("(?s:.+?)(?:(?:\\r\\n|[\\r\\n])[ \\t]*(?:\\r\\n|[\\r\\n])+|\u2029+|$)")
# End marks of sentences, and of what introduces or lists; a closing quote or bracket may follow.
_ENDS = frozenset(".!?…:;。！？；：।॥؟۔؛።፧։།。។៕။၊")
_CLOSERS = frozenset({"Pe", "Pf"})
_UNITS = DedupOptions(shingle_words=1)


def split_lines(text: str, options: LineOptions) -> list[str]:
    """Return the text's lines or paragraphs with what ends them; joined, they are the text."""
    pattern = _PARAGRAPHS if options.unit == "paragraph" else _LINES
    return [found for found in pattern.findall(text) if found]


def line_keys(texts: pa.Array, options: LineOptions) -> tuple[npt.NDArray[np.int64], Keys, list[str]]:
    """Return `(offsets, keys, lines)`: text i's lines are number offsets[i] to offsets[i + 1]; the short have key 0.

    Two lines have one key if they are equal after NFC and whitespace collapse.
    """
    parts = [split_lines(text, options) if text else [] for text in as_text(texts).to_pylist()]
    lines = [line for part in parts for line in part]
    column = composed(pa.array(lines, pa.large_string()))
    digests = exact_keys(column)
    raw = b"".join(key[:8] if key else bytes(8) for key in digests.to_pylist())
    keys = np.frombuffer(raw, ">u8").astype(np.uint64)
    units = np.diff(shingle_hashes(column, _UNITS)[0])
    keys[units < options.min_units] = 0
    return np.cumsum([0, *map(len, parts)]), keys, lines


def repeated_lines(streams: Stream, options: LineOptions, *, memory: int, scratch: Path) -> Keys:
    """Return the keys of lines that `at_least` documents have, sorted, uint64.

    `streams` gives (unit, batch) with `text`; a line twice in one document counts once. About `memory` bytes are sorted
    at once.
    """
    return common_lines(counted_lines(streams, options, memory=memory, scratch=scratch), options, memory, scratch)


def counted_lines(streams: Stream, options: LineOptions, *, memory: int, scratch: Path) -> Iterator[pa.RecordBatch]:
    """Yield batches `COUNTED`, by line: in how many documents each line occurs. Arguments as of `repeated_lines`."""
    with Sorter(_RECORD, memory, scratch, singles=True) as sorter:
        for docs, batch in document_ids(streams):
            sorter.add(_records(docs, batch, options))
        for records in sorter:
            lines, counts = np.unique(records["line"], return_counts=True)
            yield pa.record_batch([lines, counts.astype(np.uint32)], schema=COUNTED)


def common_lines(counted: Iterable[pa.RecordBatch], options: LineOptions, memory: int, scratch: Path) -> Keys:
    """Return the keys of lines that have `at_least` documents in all counts together (`COUNTED`), sorted, uint64."""
    found: list[Keys] = []
    with Sorter(_COUNT, memory, scratch) as sorter:
        for batch in counted:
            records = np.empty(batch.num_rows, _COUNT)
            for name in ("line", "documents"):
                records[name] = batch.column(name).to_numpy()
            # What one count tells alone need not be met again in another, as the sorter would ask.
            found.append(records["line"][records["documents"] >= options.at_least])
            sorter.add(records)
        for records, starts in repeated(iter(sorter), ("line",)):
            sums = np.add.reduceat(records["documents"], starts) if len(starts) else np.empty(0, np.uint64)
            found.append(records["line"][starts[sums >= options.at_least]])
    return np.unique(np.concatenate([np.empty(0, np.uint64), *found]))


def _records(docs: Docs, batch: pa.RecordBatch, options: LineOptions) -> npt.NDArray[np.void]:
    offsets, keys, _ = line_keys(batch.column("text"), options)
    records = np.empty(len(keys), _RECORD)
    records["line"], records["doc"] = keys, np.repeat(docs, np.diff(offsets))
    return np.unique(records[keys != 0])


def cut_lines(texts: pa.Array, lines: Keys, options: LineOptions) -> tuple[pa.LargeStringArray, npt.NDArray[np.int64]]:
    """Return the texts without these lines, and how many each lost; a text that was nothing else becomes empty."""
    offsets, keys, parts = line_keys(texts, options)
    at = np.minimum(np.searchsorted(lines, keys), max(len(lines) - 1, 0))
    gone = (lines[at] == keys) & (keys != 0) if len(lines) else np.zeros(len(keys), np.bool_)
    out: list[str | None] = []
    lost = np.zeros(len(texts), np.int64)
    for row, (begin, end) in enumerate(pairwise(offsets.tolist())):
        kept = list(_kept(parts[begin:end], gone[begin:end].tolist()))
        lost[row] = end - begin - len(kept)
        out.append("".join(kept) if texts[row].is_valid else None)
    return pa.array(out, pa.large_string()), lost


def _kept(lines: list[str], gone: list[bool]) -> Iterator[str]:
    """Yield the lines that stay: those not repeated, and those that share a sentence with one of them."""
    for border in range(1, len(lines)):
        if gone[border] != gone[border - 1] and _runs_on(lines[border - 1], lines[border]):
            # Spreads on through the lines that follow, as the sentence does.
            gone[border] = gone[border - 1] = False
    for border in range(len(lines) - 1, 0, -1):
        if gone[border] != gone[border - 1] and _runs_on(lines[border - 1], lines[border]):
            gone[border] = gone[border - 1] = False
    return (line for line, drop in zip(lines, gone, strict=True) if not drop)


def _runs_on(one: str, two: str) -> bool:
    """Whether a sentence runs on into the next line: nothing closes it, and what follows begins with a small letter."""
    end = one.rstrip()
    while end and (end[-1] in "\"'’”" or unicodedata.category(end[-1]) in _CLOSERS):
        end = end[:-1]
    return bool(end) and end[-1] not in _ENDS and two.lstrip()[:1].islower()


def remove_repeated_lines(
    texts: Iterable[str | None] | pa.Array, options: LineOptions | None = None, *, memory: int = 1 << 28, scratch: Path
) -> pa.LargeStringArray:
    """Return texts in memory without the lines that many of them share; nulls stay null."""
    options = options or LineOptions()
    column = as_text(texts if isinstance(texts, pa.Array) else list(texts))
    lines = repeated_lines([(0, pa.record_batch([column], ["text"]))], options, memory=memory, scratch=scratch)
    return cut_lines(column, lines, options)[0]
