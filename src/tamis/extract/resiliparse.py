"""Resiliparse (Bevendorff et al. 2018) behind the Extractor interface; C++ underneath, so it runs isolated."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

from tamis.extract.extractor import Extracted, RefusedError
from tamis.extract.head import read_head
from tamis.extract.nesting import nesting
from tamis.extract.normal import encodable, normal_form

# Its time grows with the square of the depth: 0.1 s at 2,000 open elements, 10 s at 20,000. Pages have 46 at most.
_MAX_NESTING = 2_000
# Few pages have so many tags (1 in 60), so that few pay for the look at their depth.
_MANY_TAGS = 10_000


@dataclass(frozen=True, slots=True)
class Resiliparse:
    """Resiliparse's main-content rules on its Lexbor tree; options as `extract_plain_text` names them."""

    main_content: bool = True
    preserve_formatting: bool = True
    list_bullets: bool = True
    alt_texts: bool = False
    links: bool = False
    form_fields: bool = False
    noscript: bool = False
    comments: bool = True
    post_meta: bool = True

    name: ClassVar[str] = "resiliparse"
    isolated: ClassVar[bool] = True

    @property
    def version(self) -> str:
        """Version of the installed library."""
        return version("Resiliparse")

    def extract(self, html: str, url: str | None) -> Extracted:
        """Return the main text; empty where the library finds none. Raises what the library raises.

        A page that nests so deeply that the library would take minutes is refused (`extract:too_deep`).
        """
        from resiliparse.extract.html2text import extract_plain_text

        if html.count("<") > _MANY_TAGS and (depth := nesting(html)) > _MAX_NESTING:
            raise RefusedError("extract:too_deep", f"{depth} open elements, limit {_MAX_NESTING}")
        text = normal_form(
            extract_plain_text(
                encodable(html),
                preserve_formatting=self.preserve_formatting,
                main_content=self.main_content,
                list_bullets=self.list_bullets,
                alt_texts=self.alt_texts,
                links=self.links,
                form_fields=self.form_fields,
                noscript=self.noscript,
                comments=self.comments,
                post_meta=self.post_meta,
            )
        )
        head = read_head(html)
        return Extracted(text, head.title, head.language, float(bool(text)), extractor=self.name)
