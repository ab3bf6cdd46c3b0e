"""A quick look at a page before a dear extractor has it: its visible prose, in a millisecond."""

from __future__ import annotations

import numpy as np

# Text is what stands outside links; a page of menus alone is taken whole.
_MOST_LINKED = 0.5
_LEAST_CHARS = 200
# So much prose tells a language.
_ENOUGH_BYTES = 20_000


def quick_text(html: bytes) -> str:
    """Return visible text of a page given as UTF-8: of blocks mostly outside links, or all; at most about 20 kB."""
    from tamis.extract.native import layout
    from tamis.extract.native.blocks import scan_page
    from tamis.extract.native.room import kept_room

    page = scan_page(html, kept_room())
    sizes = page.blocks[:, layout.END] - page.blocks[:, layout.START]
    prose = page.blocks[:, layout.LINK_BYTES] < _MOST_LINKED * sizes
    text = _joined(page.text, page.blocks[prose])
    return text if len(text) >= _LEAST_CHARS else _joined(page.text, page.blocks)


def _joined(text: np.ndarray, blocks: np.ndarray) -> str:
    from tamis.extract.native import layout

    sizes = np.cumsum(blocks[:, layout.END] - blocks[:, layout.START])
    spans = blocks[: int(np.searchsorted(sizes, _ENOUGH_BYTES)) + 1, [layout.START, layout.END]].tolist()
    return "\n".join(text[start:end].tobytes().decode("utf-8", "replace") for start, end in spans)
