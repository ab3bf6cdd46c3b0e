"""trafilatura (Barbaresi 2021, ACL demo) behind the Extractor interface; lxml underneath, so it runs isolated."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, ClassVar

from tamis.extract.extractor import Extracted, RefusedError
from tamis.extract.head import read_head
from tamis.extract.nesting import nesting
from tamis.extract.normal import encodable, normal_form

# libxml2 stops reading a page where more than 255 elements are open; the root, the body and the paragraph are some.
_MAX_NESTING = 240


@dataclass(frozen=True, slots=True)
class Trafilatura:
    """trafilatura with FineWeb's settings by default.

    `deduplicate` drops segments repeated within one page: the library's own switch remembers earlier pages, so that a
    page's text would depend on what was extracted before it; each page gets a memory of its own here. `metadata` also
    finds author and date, at about a third more time. Titles and languages come from `head.read_head` in any case.
    """

    favor_precision: bool = True
    favor_recall: bool = False
    fast: bool = False
    deduplicate: bool = True
    include_comments: bool = False
    include_tables: bool = True
    include_links: bool = False
    include_formatting: bool = False
    metadata: bool = False

    name: ClassVar[str] = "trafilatura"
    isolated: ClassVar[bool] = True

    @property
    def version(self) -> str:
        """Version of the installed library."""
        return version("trafilatura")

    def extract(self, html: str, url: str | None) -> Extracted:
        """Return the main text; empty where the library finds none. Raises what the library raises.

        A page of which the parser lost everything because it nests too deeply is refused (`extract:too_deep`).
        """
        from trafilatura import extract

        html = encodable(html)  # a lone surrogate would end the page for it
        text = normal_form(extract(html, url=url, **self._settings()) or "")
        if not text and (depth := nesting(html)) > _MAX_NESTING:
            raise RefusedError("extract:too_deep", f"{depth} open elements, limit {_MAX_NESTING}")
        author, date = self._metadata(html, url) if self.metadata else (None, None)
        head = read_head(html)
        return Extracted(text, head.title, head.language, float(bool(text)), author, date, self.name)

    def _settings(self) -> dict[str, Any]:
        from trafilatura.deduplication import LRUCache

        return {
            "favor_precision": self.favor_precision,
            "favor_recall": self.favor_recall,
            "fast": self.fast,
            "include_comments": self.include_comments,
            "include_tables": self.include_tables,
            "include_links": self.include_links,
            "include_formatting": self.include_formatting,
            "deduplicate": LRUCache() if self.deduplicate else False,
        }

    def _metadata(self, html: str, url: str | None) -> tuple[str | None, str | None]:
        from trafilatura import extract_metadata

        found = extract_metadata(html, default_url=url)
        if found is None:
            return None, None
        return (encodable(found.author) if found.author else None), found.date
