"""Packs: tiny files in a row are one unit, where there are many: a unit of its own costs more than a few kB do.

Which files are packed depends on the list of inputs alone, so that a run resumes with the packs it began with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, cast

import pyarrow as pa

from tamis.warc.manifest import Source

KINDS = ("warc", "jsonl", "parquet", "text")
# A file of more bytes is a unit by itself, and so is every file in a row of fewer files.
SMALL_BYTES = 256 << 10
MANY_FILES = 256
# What a pack holds at most: some seconds of work.
PACK_FILES = 1024
PACK_BYTES = 16 << 20


def packed(sources: Iterable[Source]) -> Iterator[list[tuple[int, Source]]]:
    """Yield the sources that can be read as units, with their numbers, in order: single ones, or packs of tiny ones."""
    sound = ((number, source) for number, source in enumerate(sources) if not source.problem)
    for kind, row in groupby(sound, _tiny):
        held = list(row)
        if kind is None or len(held) < MANY_FILES:
            yield from ([each] for each in held)
        else:
            yield from _cut(held)


def _tiny(numbered: tuple[int, Source]) -> str | None:
    source = numbered[1]
    return source.kind if source.kind in KINDS and (source.size or 0) <= SMALL_BYTES else None


def _cut(row: Sequence[tuple[int, Source]]) -> Iterator[list[tuple[int, Source]]]:
    pack: list[tuple[int, Source]] = []
    size = 0
    for each in row:
        if pack and (len(pack) == PACK_FILES or size + (each[1].size or 0) > PACK_BYTES):
            yield pack
            pack, size = [], 0
        pack.append(each)
        size += each[1].size or 0
    yield pack


def payload(pack: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the payload of a pack's shard from those its files would have."""
    first = pack[0]
    return {**first, "name": f"{first['name']} and {len(pack) - 1} more", "pack": [dict(each) for each in pack]}


def merged(batches: Iterable[pa.RecordBatch], *, rows: int, size: int) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of up to `rows` rows and about `size` bytes: what is done with a batch of ten rows
    costs as much as with hundreds."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        full = sum(each.num_rows for each in held) + batch.num_rows > rows or sum(each.nbytes for each in held) > size
        if held and (full or batch.schema != held[0].schema):
            yield from _joined(held)
            held = []
        held.append(batch)
    if held:
        yield from _joined(held)


def _joined(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    return cast("list[pa.RecordBatch]", pa.Table.from_batches(batches).combine_chunks().to_batches())
