"""The native extractor behind the Extractor interface. Kernels that check their bounds need no killable child."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tamis.extract.extractor import Extracted
from tamis.extract.native.blocks import scan_page
from tamis.extract.native.cut import DEFAULT_RECALL
from tamis.extract.native.head import Statements, article_body, read_statements
from tamis.extract.native.kept import keep_text
from tamis.extract.native.model import Model, load_model
from tamis.extract.native.room import kept_room
from tamis.extract.normal import normal_form

# Below so many words on the whole page, its JSON-LD is looked at.
_FEW_UNITS = 20.0


@dataclass(frozen=True, slots=True)
class Found:
    """The main text of one page, what the page states about itself, and the expected F-score of the cut."""

    text: str
    confidence: float
    statements: Statements


@dataclass(frozen=True, slots=True)
class Native:
    """One linear pass, block features, small trees, the best cut.

    `recall` is the beta of the F-score that the cut maximises: 0.4 keeps less (no comments, no teasers), 2 keeps more.
    `markdown` marks headings and code. `model` is the path of one of your own (`tamis train extractor`).
    """

    recall: float = DEFAULT_RECALL
    markdown: bool = False
    model: str = ""

    name: ClassVar[str] = "native"
    isolated: ClassVar[bool] = False

    @property
    def version(self) -> str:
        """The first digits of the model's checksum."""
        return f"2-{self._model().checksum[:12]}"

    def extract(self, html: str, url: str | None) -> Extracted:
        """Return the main text of the page; never raises, linear in the length of `html`."""
        try:
            source = html.encode()
        except UnicodeEncodeError:
            source = html.encode("utf-8", "surrogatepass")
        return self.extract_utf8(source, url)

    def extract_utf8(self, html: bytes, url: str | None) -> Extracted:
        """Return what `extract` does of a page given as UTF-8."""
        found = extract_bytes(html, recall=self.recall, markdown=self.markdown, model=self._model())
        stated = found.statements
        return Extracted(
            found.text, stated.title, stated.language, found.confidence, stated.author, stated.date, self.name
        )

    def _model(self) -> Model:
        return load_model(Path(self.model)) if self.model else load_model()


def extract_bytes(
    html: bytes, *, recall: float = DEFAULT_RECALL, markdown: bool = False, model: Model | None = None
) -> Found:
    """Return the main text of a page given as UTF-8; bytes that are not become U+FFFD. Never raises.

    `model` is the one that ships if None.
    """
    page = scan_page(html, kept_room())
    kept = keep_text(page, model or load_model(), recall, markdown)
    text, confidence = kept.text, kept.score
    # Units are whole sixteenths, so that their sum is the same in any order.
    if kept.units < _FEW_UNITS and (stated := normal_form(article_body(page))):
        text, confidence = stated, 0.5
    return Found(text, min(confidence, 1.0) if text else 0.0, read_statements(page))
