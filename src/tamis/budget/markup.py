"""Markup: tables and embedded data of the report page, in which text from the crawl stays text."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Any

# Directional controls in an address serve only to make it look like another one.
_DIRECTIONAL = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number shown as `text` and sorted by `value`."""

    value: float
    text: str


def visible(text: str) -> str:
    """Return a URL or an id with its directional controls spelled out."""
    return _DIRECTIONAL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def table(
    name: str, caption: str, columns: Sequence[str], rows: Iterable[Sequence[Cell | Quantity]], *, head: bool = True
) -> str:
    """Return a sortable table in a region that scrolls; with `head`, the first cell of a row is its header.

    Numbers are aligned right and sorted as numbers; a column is numeric where its first row is.
    """
    body = [tuple(row) for row in rows]
    numeric = [not isinstance(cell, str) and cell is not None for cell in body[0]] if body else [False] * len(columns)
    heads = "".join(
        f'<th scope="col"{" class=n" if number else ""}>{escape(column)}</th>'
        for column, number in zip(columns, numeric, strict=True)
    )
    lines = "\n".join(f"<tr>{''.join(_cells(row, head))}</tr>" for row in body)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f'<table class="sortable" id="{escape(name)}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>\n{lines}\n</tbody></table></div>"
    )


def _cells(row: Sequence[Cell | Quantity], head: bool) -> Iterable[str]:
    for place, cell in enumerate(row):
        if place == 0 and head and isinstance(cell, str):
            yield f'<th scope="row"><bdi>{escape(cell)}</bdi></th>'
        elif isinstance(cell, str):
            yield f"<td><bdi>{escape(cell)}</bdi></td>"
        elif isinstance(cell, Quantity):
            yield f'<td class="n" data-v="{cell.value:.12g}">{escape(cell.text)}</td>'
        elif cell is None:
            yield '<td class="n" data-v="-1">–</td>'
        else:
            yield f'<td class="n" data-v="{cell}">{cell:,}</td>'


def figure(name: str, caption: str) -> str:
    """Return the place of a chart, which reads as its caption; the tables have its figures."""
    text = escape(caption)
    return (
        f'<figure id="{name}-figure" data-chart="{name}-chart"><figcaption>{text}</figcaption>'
        f'<div class="scroll" role="region" tabindex="0" aria-label="Chart: {text}"><div class="chart" role="img" '
        f'aria-label="{text}"></div></div></figure>'
    )


def data_block(name: str, value: Any) -> str:
    """Return a data block that holds JSON; no value can end it, as every `<` in it is an escape."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def packed(value: Any) -> str:
    """Return JSON, gzipped, in base64."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode("utf-8", "replace"), 6, mtime=0)).decode()


def script_hash(script: str) -> str:
    """Return what a content security policy admits exactly this inline script by."""
    return f"'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'"
