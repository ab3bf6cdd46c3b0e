"""Pages with gold text to train on and to measure with."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tamis.errors import InputError
from tamis.extract.native.evaluate import split_tokens
from tamis.text.encoding import decode

_TEXT_KEYS = ("main_content", "articleBody", "main_text")


@dataclass(frozen=True, slots=True)
class Lesson:
    """One page: UTF-8 `html`, and its `gold` text, or None where only segments `inside` and `outside` it are known.

    `host` is what folds are grouped by; `source` the folder's name.
    """

    source: str
    name: str
    host: str
    language: str
    kind: str
    html: bytes
    gold: str | None
    inside: tuple[str, ...]
    outside: tuple[str, ...]


def read_lessons(folder: Path) -> list[Lesson]:
    """Return the pages of a folder, sorted by name, those with empty gold left out.

    A folder has either `gold.jsonl.gz` (rows with `id`, `html`, `gold`, and optionally `url`, `page_type`), or pages
    `**/*.html` beside `.json` files with `main_text` and `url`. Raises InputError for a folder with neither.
    """
    table = folder / "gold.jsonl.gz"
    lessons = list(_from_table(folder, table) if table.exists() else _from_sidecars(folder))
    if not lessons:
        raise InputError(f"No pages with gold text in {folder}.", "It needs gold.jsonl.gz, or *.html beside *.json.")
    return sorted((lesson for lesson in lessons if _useful(lesson)), key=lambda lesson: lesson.name)


def _useful(lesson: Lesson) -> bool:
    return bool(lesson.inside or lesson.outside) if lesson.gold is None else bool(split_tokens(lesson.gold))


def _from_table(folder: Path, table: Path) -> Iterator[Lesson]:
    with gzip.open(table, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            raw = gzip.decompress((folder / row["html"]).read_bytes())
            language = row.get("lid_of_gold") or "und"
            yield _lesson(folder.name, row["id"], row.get("url"), language, row.get("page_type"), raw, row["gold"])


def _from_sidecars(folder: Path) -> Iterator[Lesson]:
    for path in sorted(folder.rglob("*.html")):
        side = path.with_suffix(".json")
        if side.exists():
            row = json.loads(side.read_text("utf-8"))
            # One layout in many languages is one host: its pages must not stand on both sides of a fold.
            url = f"http://{row.get('kind', path.stem)}/"
            language, kind = row.get("language"), row.get("kind")
            yield _lesson("miniweb", str(path.relative_to(folder)), url, language, kind, path.read_bytes(), row)


def _lesson(
    source: str, name: str, url: str | None, language: str | None, kind: str | None, raw: bytes, gold: Mapping[str, Any]
) -> Lesson:
    html = decode(raw, header_charset=None).text.encode("utf-8", "replace")
    text = next((gold[key] for key in _TEXT_KEYS if isinstance(gold.get(key), str)), None)
    if text is not None and text.startswith("<p>"):
        text = text.replace("<p>", "").replace("</p>", "\n")
    host = urlsplit(url).hostname if url and "//" in url else None
    inside, outside = (tuple(gold.get(key) or ()) for key in ("with", "without"))
    host = (host or name).removeprefix("www.")
    return Lesson(source, name, host, language or "und", kind or "", html, text, inside, outside)
