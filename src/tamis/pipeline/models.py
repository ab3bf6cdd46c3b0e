"""Models: loaded once per process from a name or path, never pickled, never shared between steps by value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING

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
            unsure_below=settings.unsure_below,
            limits=Limits(
                deadline_s=settings.deadline_seconds,
                deadline_s_per_mb=settings.deadline_seconds_per_mb,
                max_html_bytes=settings.max_html_bytes,
            ),
        )
        self.version = load(settings.extractor, dict(settings.options)).version

    def many(self, pages: Iterable[tuple[str | bytes, str | None]]) -> Iterator[Extracted | Failure]:
        """Yield what became of each (html, url), in order; html is text or UTF-8."""
        return self._sandbox.extract_many(pages)

    def close(self) -> None:
        """End the sandbox's processes."""
        self._sandbox.close()


_EXTRACTORS: dict[str, PageExtractor] = {}


def page_extractor(settings: ExtractSettings) -> PageExtractor:
    """Return the page extractor a recipe names, one per process and settings."""
    key = json.dumps(asdict(settings), sort_keys=True)
    if key not in _EXTRACTORS:
        _EXTRACTORS[key] = PageExtractor(settings)
    return _EXTRACTORS[key]


def close_extractors() -> None:
    """End the processes of every page extractor, so that their use of the machine can be counted."""
    for extractor in _EXTRACTORS.values():
        extractor.close()
    _EXTRACTORS.clear()
