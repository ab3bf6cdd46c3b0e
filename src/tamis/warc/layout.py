"""Header layouts: a crawler writes the same fields in the same order for thousands of records, so that one regular
expression, made from the first of them, reads the others at a quarter of the price."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tamis.warc import header
from tamis.warc.record import Frame

_VERSIONS = (b"WARC/1.0", b"WARC/1.1")
# What a header may have to be worth an expression, and how many headers of a file are looked at for one.
_LONGEST, _MOST_LINES, _MOST_TRIES = 2048, 40, 32
# What a layout is looked up by: nearly every crawler names the type first.
_KEY = slice(10, 30)
_CAUGHT = (b"content-length", b"warc-target-uri", b"warc-date", b"warc-truncated")
_TYPE, _CONTENT = b"warc-type", b"content-type"


@dataclass(frozen=True, slots=True)
class _Layout:
    """An expression for all headers with these fields in this order and this type.

    places: which groups of the expression catch `_CAUGHT`, in that order; -1 where the layout lacks the field.
    """

    pattern: re.Pattern[bytes]
    places: tuple[int, ...]
    type: str
    http: bool


class Layouts:
    """The layouts met in one file."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[_Layout]] = {}
        self._tries = 0

    def parse(self, data: bytearray, offset: int) -> tuple[Frame, int, int] | None:
        """Return the frame of a record without its block, and where that starts and stops; None without a sane header.

        It says what `tamis.warc.header.parse` does, which reads the headers of no known layout.
        """
        for layout in self._known.get(bytes(data[_KEY]), ()):
            if found := layout.pattern.match(data):
                return _read(found, layout, offset)
        head = header.parse(bytes(data[: header.MAX_HEADER]))
        if head is None:
            return None
        self._learn(bytes(data[: head.size]))
        frame = Frame(offset, head.type, head.url, head.date, head.http, head.truncated)
        return frame, head.size, head.size + head.length

    def _learn(self, head: bytes) -> None:
        lines = head.split(b"\r\n", _MOST_LINES + 2)
        if self._tries >= _MOST_TRIES or len(head) > _LONGEST or lines[-2:] != [b"", b""]:
            return
        self._tries += 1
        layout = _made(lines[:-2])
        if layout is not None:
            self._known.setdefault(head[_KEY], []).append(layout)


def _made(lines: list[bytes]) -> _Layout | None:
    """Return the layout of the lines of a header, None where one of them is no plain `Name: value`."""
    parts, places = [re.escape(lines[0])], dict.fromkeys(_CAUGHT, -1)
    fixed: dict[bytes, bytes] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        key, label = name.lower(), re.escape(name) + b":"
        # Folded lines and blanks before the colon are left to the other parser.
        if not colon or not name or name != name.strip() or b"\n" in line:
            return None
        # Of repeated fields the first counts. A dot is any byte but a line feed: no value reaches over its line.
        if key in (_TYPE, _CONTENT) and key not in fixed:
            fixed[key] = value.strip()
            other = key == _CONTENT and not _is_http(value)
            parts.append(label + rb"(?!\s*(?i:application/http)).*" if other else re.escape(line))
        elif places.get(key) == -1:
            places[key] = 1 + max(places.values())
            parts.append(label + b"(.*)")
        else:
            parts.append(label + b".*")
    if lines[0] not in _VERSIONS or not fixed.get(_TYPE) or places[b"content-length"] < 0:
        return None
    pattern = re.compile(b"\r\n".join(parts) + b"\r\n\r\n")
    return _Layout(pattern, tuple(places.values()), _text(fixed[_TYPE]).lower(), _is_http(fixed.get(_CONTENT, b"")))


def _is_http(value: bytes) -> bool:
    return header.is_http(value.strip().decode("latin-1"))


def _text(value: bytes) -> str:
    return value.strip().decode("utf-8", "replace")


def _read(found: re.Match[bytes], layout: _Layout, offset: int) -> tuple[Frame, int, int] | None:
    values, start = (*found.groups(), None), found.end()
    length_at, url_at, date_at, cut_at = layout.places
    length, url, date, cut = (values[length_at] or b"").strip(), values[url_at], values[date_at], values[cut_at]
    if not (length.isdigit() and len(length) <= 18) or start > header.MAX_HEADER:
        return None
    frame = Frame(
        offset,
        layout.type,
        header.bare_url(None if url is None else url.strip().decode("utf-8", "replace")),
        None if date is None else date.strip().decode("utf-8", "replace"),
        layout.http,
        "" if cut is None else _text(cut),
    )
    return frame, start, start + int(length)
