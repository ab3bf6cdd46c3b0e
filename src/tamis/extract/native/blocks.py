"""A page cut into blocks of text: the scanner's tables, and the same as Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis.extract.native import html, layout
from tamis.extract.native.names import names
from tamis.extract.native.room import Room
from tamis.extract.native.words import PADDING
from tamis.text.kernel import proven_kernel

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Page:
    """What one pass found: `source` and `text` as uint8, tables as int64 with the columns named in `html`.

    Element 0 is the page itself; an element's tokens reach to the next element's first, and `tokens` ends with the
    last one's. So do `class_tokens` of the distinct class attributes, `classes`; number 0 has none. All lie in `room`,
    as do the tables made from them: where it is kept, they hold until it serves another page.
    """

    source: Bytes
    text: Bytes
    elements: Ints
    tokens: Ints
    classes: Ints
    class_tokens: Ints
    blocks: Ints
    events: Ints
    room: Room


def scan_page(source: bytes, room: Room | None = None) -> Page:
    """Return the blocks of a page, which is UTF-8 (bytes that are not read as they stand). Never raises; linear."""
    size = len(source)
    room = room or Room()
    data = room.table("source", np.uint8, size + PADDING)
    data[:size] = np.frombuffer(source, np.uint8)
    data[size:] = 0
    known = names()
    tags = int(count_tags(data))
    text = room.table("text", np.uint8, size * 6 // 5 + 64)
    rows = min(tags + 1, html.MAX_ELEMENTS)
    elements = room.table("elements", np.int64, rows, layout.ELEMENT_COLUMNS)
    most = min(size // 2 + 32, html.MAX_TOKENS)
    tokens, class_tokens = room.table("tokens", np.int64, most), room.table("class tokens", np.int64, most)
    classes = room.table("classes", np.int64, rows, layout.CLASS_COLUMNS)
    blocks = room.table("blocks", np.int64, most_blocks(tags, size), layout.BLOCK_COLUMNS)
    events = room.table("events", np.int64, html.MAX_EVENTS, 3)
    counts = room.table("counts", np.int64, layout.COUNTS)
    html.scan(
        data, known.elements, known.element_numbers, known.attribute_numbers,
        known.statement_numbers, known.reference_places, known.references, known.windows_1252, text,
        elements, tokens, classes, class_tokens, blocks, events, counts,
    )  # fmt: skip
    return Page(
        data[:size],
        text[: counts[layout.TEXT_BYTES]],
        elements[: counts[layout.ELEMENTS]],
        tokens[: counts[layout.TOKEN_COUNT]],
        classes[: counts[layout.CLASSES]],
        class_tokens[: counts[layout.CLASS_TOKEN_COUNT]],
        blocks[: counts[layout.BLOCKS]],
        events[: counts[layout.EVENTS]],
        room,
    )


@proven_kernel
def count_tags(data: Any) -> Any:
    """Return how many bytes are a `<`."""
    count = 0
    for at in range(len(data)):
        count += data[at] == 60
    return count


def most_blocks(tags: int, size: int) -> int:
    """Each block but the first follows a tag; late ones have a least size."""
    _, (more, _), (_, least) = html.BLOCK_STEPS
    return min(tags + 2, more + size // least + 2)


def to_arrow(page: Page) -> pa.RecordBatch:
    """Return one row per block: `text` (large_string), `tag` of its block-level element, `depth`, `link_bytes`."""
    known = names()
    raw = page.text.tobytes()
    spans = page.blocks[:, [layout.START, layout.END]].tolist()
    rows = page.elements[page.blocks[:, layout.ELEMENT]]
    inside = page.elements[rows[:, layout.BLOCK], layout.TAG]
    return pa.record_batch(
        {
            "text": pa.array([raw[start:end].decode("utf-8", "replace") for start, end in spans], pa.large_string()),
            "tag": pa.array([known.tags[tag] for tag in inside], pa.string()),
            "depth": pa.array(rows[:, layout.DEPTH], pa.int32()),
            "link_bytes": pa.array(page.blocks[:, layout.LINK_BYTES], pa.int64()),
        }
    )
