"""Models: loaded once per process from a name or path, never pickled, never shared between steps by value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tamis.pipeline.settings import ExtractSettings

if TYPE_CHECKING:
    from tamis.extract.extractor import Extracted, Failure
    from tamis.langid import Identifier
    from tamis.tokenize.encode import Encoder


@lru_cache(maxsize=4)
def encoder(tokenizer: str) -> Encoder:
    """Return the encoder of a tokenizer name or path."""
    from tamis.tokenize.encode import load

    return load(tokenizer)


@lru_cache(maxsize=4)
def identifier(model: str) -> Identifier:
    """Return the language identifier of a model name or path."""
    from tamis.langid import Identifier

    return Identifier(model)


class PageExtractor:
    """The extractor a recipe names, in its sandbox where it needs one, with the recipe's fallback."""

    def __init__(self, settings: ExtractSettings) -> None:
        from tamis.extract.extractor import load
        from tamis.extract.sandbox import Limits, Sandbox

        self._sandbox = Sandbox(
            settings.extractor,
            dict(settings.options),
            fallback=settings.fallback,
            limits=Limits(deadline_s=settings.deadline_seconds, max_html_bytes=settings.max_html_bytes),
        )
        self.version = load(settings.extractor, dict(settings.options)).version

    def many(self, pages: Iterable[tuple[str, str | None]]) -> Iterator[Extracted | Failure]:
        """Yield what became of each (html, url), in order."""
        return self._sandbox.extract_many(pages)


@lru_cache(maxsize=2)
def _page_extractor(key: str) -> PageExtractor:
    values: Mapping[str, Any] = json.loads(key)
    return PageExtractor(ExtractSettings(**values))


def page_extractor(settings: ExtractSettings) -> PageExtractor:
    """Return the page extractor a recipe names, one per process and settings."""
    from dataclasses import asdict

    return _page_extractor(json.dumps(asdict(settings), sort_keys=True))
