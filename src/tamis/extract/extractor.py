"""The Extractor interface, what extractors give back, and the registry that finds one by name."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from tamis import errors

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")


@dataclass(frozen=True, slots=True)
class Extracted:
    """The main text of one page, in normal form (see `normal.normal_form`), and what the page says about itself.

    `language` is the `lang` attribute of `<html>` as written, not an identified language. `confidence` in [0, 1] is
    the extractor's own estimate that `text` is the main content: 0 for empty text and for `plain`, which does not look
    for it; 1 where an extractor gives no estimate. `extractor` names the one that made the text. `fallback` is None,
    or the reason why the extractor asked for was passed over (`extract:timeout`, `extract:empty`, `extract:unsure` …).
    """

    text: str
    title: str | None = None
    language: str | None = None
    confidence: float = 1.0
    author: str | None = None
    date: str | None = None
    extractor: str = ""
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A page that gave no text: a drop `reason`, `extract:…`, and a `detail` for people (signal, traceback, sizes)."""

    reason: str
    detail: str = ""


def steady(detail: str) -> str:
    """Return a detail without the memory addresses in it, which differ from run to run."""
    return _ADDRESS.sub("0x…", detail)


class RefusedError(Exception):
    """Raised by an extractor for a page that it cannot read; its two arguments become a Failure's."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.failure = Failure(reason, detail)


class Extractor(Protocol):
    """Turns one decoded HTML page into its main text; a pure function of the page, whatever came before."""

    @property
    def name(self) -> str:
        """The name it is registered under."""

    @property
    def version(self) -> str:
        """Version of the library or model behind it; part of the fingerprint of a run."""

    @property
    def isolated(self) -> bool:
        """Whether it must run in a killable child, because a page may hang or crash it."""

    def extract(self, html: str, url: str | None) -> Extracted:
        """Return the main text of the page."""


# Where each extractor lives; loaded when first asked for, so that naming one costs nothing.
BUILT_IN: Mapping[str, tuple[str, str]] = {
    "native": ("tamis.extract.native.extractor", "Native"),
    "plain": ("tamis.extract.plain", "Plain"),
    "resiliparse": ("tamis.extract.resiliparse", "Resiliparse"),
    "trafilatura": ("tamis.extract.trafilatura", "Trafilatura"),
}


def load(name: str, options: Mapping[str, object] | None = None) -> Extractor:
    """Return the extractor of that name, set up with `options`.

    `name` is a built-in, `module:Object`, or `./file.py:Object`. Raises UnknownNameError for a name or an option that
    does not exist (the hint names the nearest), ConfigError for a value of the wrong type or a user-made extractor
    that cannot be loaded. The library behind a built-in is imported at its first page, not here.
    """
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        return _configured(getattr(importlib.import_module(module), attribute), name, options or {})
    if ":" in name:
        from tamis.extract.plugin import load_plugin

        return load_plugin(name, options or {})
    raise errors.unknown("extractor", name, BUILT_IN)


def _configured(kind: Callable[..., Extractor], name: str, options: Mapping[str, object]) -> Extractor:
    valid: dict[str, Any] = {field.name: field.default for field in fields(kind)}  # type: ignore[arg-type]
    for key, value in options.items():
        if key not in valid:
            raise errors.unknown(f"option of extractor {name!r}", key, valid)
        if type(value) is not type(valid[key]):
            expected = type(valid[key]).__name__
            raise errors.ConfigError(
                f"Option {key!r} of extractor {name!r} is {value!r}.", f"Give it a {expected}, such as {valid[key]!r}."
            )
    return kind(**options)
