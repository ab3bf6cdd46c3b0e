"""Exact duplicates: texts equal after NFC and whitespace collapse, found by their 128-bit keys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from tamis.columns import Bytes, Offsets
from tamis.dedup.documents import document_ids, scope_hashes
from tamis.dedup.options import DedupOptions
from tamis.dedup.recurring import Recurring, recurring
from tamis.dedup.sorting import Records, Starts
from tamis.dedup.spill import Sorter, repeated
from tamis.dedup.unchecked import text_within, unchecked

Words = npt.NDArray[np.uint64]

_RECORD = np.dtype([("high", np.uint64), ("low", np.uint64), ("rank", np.float64), ("doc", np.uint64)])

# Bytes looked at together: long enough for vector instructions, short enough that most have no two spaces in a row.
_BLOCK = 64

EXACT = pa.schema(
    [
        pa.field("doc", pa.uint64(), nullable=False),
        pa.field("kept_doc", pa.uint64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # exact | url
    ]
)


@unchecked
def _wide_space(data: Bytes, at: Any, end: Any) -> int:
    """Return the length in bytes of the non-ASCII White_Space character at `at`, or 0."""
    lead = data[at]
    if lead == 0xC2:
        return 2 if at + 1 < end and (data[at + 1] == 0x85 or data[at + 1] == 0xA0) else 0
    if at + 2 >= end:
        return 0
    second, third = data[at + 1], data[at + 2]
    if lead == 0xE1:
        return 3 if second == 0x9A and third == 0x80 else 0
    if lead == 0xE3:
        return 3 if second == 0x80 and third == 0x80 else 0
    if second == 0x80:
        return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
    return 3 if second == 0x81 and third == 0x9F else 0


@unchecked
def _plain(block: Bytes, after_space: Any) -> bool:
    """Whether each space of a block is a single ASCII one. Compiles to vector instructions, hence no early return."""
    found = np.uint8(0)
    for i in range(_BLOCK - 1):
        one, two = block[i], block[i + 1]
        space = (one == 0x20) | (np.uint8(one - np.uint8(9)) < np.uint8(5))
        again = (two == 0x20) | (np.uint8(two - np.uint8(9)) < np.uint8(5))
        wide = (one == 0xC2) | (np.uint8(one - np.uint8(0xE1)) < np.uint8(3))
        found |= np.uint8((space & again) | wide)
    first, last = block[0], block[_BLOCK - 1]
    begins = first == 0x20 or (first >= 0x09 and first <= 0x0D)
    return found == 0 and not (after_space and begins) and last != 0xC2 and not (last >= 0xE1 and last <= 0xE3)


@unchecked
def _copy(block: Bytes, out: Bytes) -> None:
    for i in range(_BLOCK):
        lead = block[i]
        out[i] = np.uint8(0x20) if np.uint8(lead - np.uint8(9)) < np.uint8(5) else lead


@unchecked
def _collapse(offsets: Offsets, data: Bytes, out: Bytes, ends: Offsets) -> None:
    """Copy texts without outer whitespace and with each inner run of it as one space; set where each ends in `out`."""
    to = 0
    for row in range(len(offsets) - 1):
        at, end, begin, after_space = offsets[row], offsets[row + 1], to, True
        slow_until = at
        while at < end:
            if at >= slow_until and at + _BLOCK <= end:
                if _plain(data[at : at + _BLOCK], after_space):
                    _copy(data[at : at + _BLOCK], out[to : to + _BLOCK])
                    at, to = at + _BLOCK, to + _BLOCK
                    after_space = out[to - 1] == 0x20
                    continue
                slow_until = at + _BLOCK
            lead = data[at]
            size = 0
            # Few bytes can begin a space beyond ASCII.
            if lead == 0xC2 or (lead >= 0xE1 and lead <= 0xE3):
                size = _wide_space(data, at, end)
            space = size > 0 or lead == 0x20 or (lead >= 0x09 and lead <= 0x0D)
            # Always written, kept only when counted: a branch at each word's end would be guessed wrongly.
            out[to] = 0x20 if space else lead
            to += not (space and after_space)
            after_space = space
            at += max(size, 1)
        if to > begin and after_space:
            to -= 1
        ends[row] = to


def exact_keys(texts: pa.LargeStringArray) -> pa.FixedSizeBinaryArray:
    """Return the xxh3-128 of each text after whitespace collapse, as binary(16); null for a text without content.

    `texts` should be `composed`. Case, digits and punctuation count: two texts that differ in them are two texts.
    """
    offsets, data = text_within(texts)
    out = np.empty(int(offsets[-1] - offsets[0]) + 1, np.uint8)
    ends = np.zeros(len(texts) + 1, np.int64)
    _collapse(offsets, data, out, ends[1:])
    view, stops = out.data, ends.tolist()
    keys = [xxhash.xxh3_128_digest(view[begin:end]) if end > begin else None for begin, end in pairwise(stops)]
    return pa.array(keys, pa.binary(16))


def exact_duplicates(
    streams: Iterable[tuple[int, pa.RecordBatch]],
    options: DedupOptions,
    *,
    memory: int,
    scratch: Path,
    urls: pa.Table | None = None,
) -> pa.Table:
    """Return the exact duplicates within scope: table `EXACT`, one row per removed document, by `doc`.

    `streams` gives (unit, batch) with columns `exact` and, for scope "language", `language`; batches of one unit come
    in row order. For a survivor other than "first", a `priority` column (float64, higher stays; null is lowest) goes
    before document order. `urls` are duplicates by URL, found before: they are left out here and added to the answer,
    each with the survivor of the document it gives way to. At most about `memory` bytes are sorted at once; runs are
    spilled to `scratch`.
    """
    gone = None if urls is None else urls.column("doc").to_numpy()
    seen = recurring(streams, lambda batch: first_halves(batch, options)[0], memory // 4)
    with Sorter(_RECORD, memory if seen is None else memory - memory // 4, scratch, chosen=seen is not None) as sorter:
        for doc, batch in document_ids(streams):
            records = _records(doc, batch, options, seen)
            sorter.add(records if gone is None else records[~_among(records["doc"], gone)])
        seen = None
        found = [_drops(*group) for group in repeated(iter(sorter), ("high", "low"))]
    drops = np.concatenate([np.empty((0, 2), np.uint64), *found])
    drops = drops[np.argsort(drops[:, 0])]
    table = pa.table([drops[:, 0].copy(), drops[:, 1].copy(), ["exact"] * len(drops)], schema=EXACT)
    return table if urls is None else _with_urls(table, urls)


def url_duplicates(
    streams: Iterable[tuple[int, pa.RecordBatch]], options: DedupOptions, *, memory: int, scratch: Path
) -> pa.Table:
    """Return the duplicates by URL, whatever their language: as `exact_duplicates`, `exact` being `urls.url_keys`."""
    found = exact_duplicates(streams, replace(options, scope="global"), memory=memory, scratch=scratch)
    return found.set_column(2, EXACT.field("kind"), pa.array(["url"] * found.num_rows))


def _with_urls(exact: pa.Table, urls: pa.Table) -> pa.Table:
    gone, heirs = exact.column("doc").to_numpy(), exact.column("kept_doc").to_numpy()
    kept = urls.column("kept_doc").to_numpy().copy()
    moved = _among(kept, gone)
    kept[moved] = heirs[np.searchsorted(gone, kept[moved])]
    return pa.concat_tables([exact, urls.set_column(1, EXACT.field("kept_doc"), pa.array(kept))]).sort_by("doc")


def _among(docs: npt.NDArray[np.uint64], known: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(docs), np.bool_)
    found: npt.NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, docs), len(known) - 1)] == docs
    return found


def first_halves(batch: pa.RecordBatch, options: DedupOptions) -> tuple[Words, npt.NDArray[np.int64]]:
    """Return the first halves of the valid keys, told apart by scope, and their rows."""
    keys = batch.column("exact")
    if not batch.num_rows:
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    present = np.flatnonzero(keys.is_valid().to_numpy(zero_copy_only=False))
    words = np.frombuffer(keys.buffers()[1], ">u8", 2 * len(keys), 16 * keys.offset)[::2]
    return words[present].astype(np.uint64) ^ scope_hashes(batch, options)[present], present


def _records(
    doc: npt.NDArray[np.uint64], batch: pa.RecordBatch, options: DedupOptions, seen: Recurring | None
) -> npt.NDArray[np.void]:
    high, present = first_halves(batch, options)
    if not len(present):
        return np.empty(0, _RECORD)
    if seen is not None:
        again = np.flatnonzero(seen.among(high))
        high, present = high[again], present[again]
    keys = batch.column("exact")
    words = np.frombuffer(keys.buffers()[1], ">u8", 2 * len(keys), 16 * keys.offset)[1::2]
    records = np.zeros(len(present), _RECORD)
    records["high"], records["low"], records["doc"] = high, words[present], doc[present]
    if options.survivor != "first" and "priority" in batch.schema.names:
        ranks = batch.column("priority").cast(pa.float64()).fill_null(-np.inf).to_numpy(zero_copy_only=False)
        records["rank"] = -ranks[present]
    return records


def _drops(records: Records, starts: Starts) -> npt.NDArray[np.uint64]:
    sizes = np.diff(np.append(starts, len(records)))
    kept = np.repeat(records["doc"][starts], sizes)
    dropped = np.ones(len(records), np.bool_)
    dropped[starts] = False
    return np.stack([records["doc"][dropped], kept[dropped]], axis=1)
