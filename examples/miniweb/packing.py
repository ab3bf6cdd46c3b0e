"""Pack built pages into gzip WARC files: the same bytes every time, originals before their duplicates."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PACKED = "2024-04-01T00:00:00Z"
Entry = tuple[dict[str, Any], bytes]


def iter_pages(folder: Path) -> Iterator[Entry]:
    """Yield (sidecar, body) of every page under `folder`, ordered by path."""
    for path in sorted(Path(folder).rglob("*.json"), key=lambda p: p.relative_to(folder).as_posix()):
        yield json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".html").read_bytes()


def _deal(pages: list[Entry], warcs: int) -> list[list[Entry]]:
    """Return the pages of each WARC: a duplicate stands after the page it repeats, in the same file or a later one."""
    hands: list[list[Entry]] = [[] for _ in range(warcs)]
    place = {}
    originals = [page for page in pages if page[0]["duplicate_of"] is None]
    for number, page in enumerate(originals):
        place[page[0]["url"]] = number % warcs
        hands[number % warcs].append(page)
    duplicates = [page for page in pages if page[0]["duplicate_of"] is not None]
    for number, page in enumerate(duplicates):
        first = place[page[0]["duplicate_of"]]
        hands[first + number % (warcs - first)].append(page)
    return hands


def _record_headers(kind: str, key: str, date: str) -> dict[str, str]:
    """Return the WARC headers that a writer would otherwise fill with the clock and chance."""
    return {"WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{kind} {key}')}>", "WARC-Date": date}


def _write_info(writer: Any, name: str) -> None:
    fields = f"software: tamis mini web\r\nformat: WARC File Format 1.0\r\nisPartOf: miniweb\r\ndescription: {name}\r\n"
    body = fields.encode()
    headers = _record_headers("warcinfo", name, PACKED) | {"WARC-Filename": name}
    writer.write_record(
        writer.create_warc_record("", "warcinfo", payload=io.BytesIO(body), length=len(body), warc_headers_dict=headers)
    )


def _write_page(writer: Any, page: dict[str, Any], body: bytes) -> None:
    """Write the request and the response of one page."""
    from warcio.statusandheaders import StatusAndHeaders

    address = urlsplit(page["url"])
    target = f"{address.path or '/'}{'?' + address.query if address.query else ''}"
    asked = StatusAndHeaders(f"GET {target} HTTP/1.1", [("Host", address.netloc)], is_http_request=True)
    answered = StatusAndHeaders(
        f"{page['status']} {HTTPStatus(page['status']).phrase}",
        [("Content-Type", page["content_type"]), ("Server", "miniweb"), ("Content-Length", str(len(body)))],
        protocol="HTTP/1.1",
    )
    for kind, head, payload in (("request", asked, b""), ("response", answered, body)):
        headers = _record_headers(kind, page["url"], page["date"])
        record = writer.create_warc_record(
            page["url"],
            kind,
            payload=io.BytesIO(payload),
            length=len(payload),
            http_headers=head,
            warc_headers_dict=headers,
        )
        writer.write_record(record)


def pack(folder: Path, out: Path, *, warcs: int = 3) -> list[Path]:
    """Write the pages under `folder` to `warcs` WARC files in `out`, with `warc.paths` naming them one a line.

    Returns the WARC paths in manifest order, in which every original precedes its duplicates.
    """
    from warcio.warcwriter import WARCWriter

    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, hand in enumerate(_deal(list(iter_pages(folder)), warcs)):
        path = out / f"miniweb-{number:05d}.warc.gz"
        with path.open("wb") as stream:
            writer = WARCWriter(stream, gzip=True)
            _write_info(writer, path.name)
            for page, body in hand:
                _write_page(writer, page, body)
        paths.append(path)
    (out / "warc.paths").write_text("".join(f"{path.name}\n" for path in paths), encoding="utf-8", newline="\n")
    return paths
