"""All visible text of a page in one linear pass, no tree: the fallback when an extractor fails."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import ClassVar

from tamis.extract.extractor import Extracted
from tamis.extract.head import decode_entities, read_head
from tamis.extract.normal import normal_form

_PREFORMATTED = re.compile(r"<pre(?=[\s>])(?>[^<]++|<(?!/pre))*+", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\f\v\xa0]{2,}")


@dataclass(frozen=True, slots=True)
class Plain:
    """All visible text: one line per block, a tab between table cells; `confidence` is 0."""

    name: ClassVar[str] = "plain"
    version: ClassVar[str] = "1"
    isolated: ClassVar[bool] = False

    def extract(self, html: str, url: str | None) -> Extracted:
        """Return all visible text of the page, in document order; never raises, linear in the length of `html`."""
        head = read_head(html)
        return Extracted(visible_text(html), head.title, head.language, 0.0, extractor=self.name)


@dataclass(frozen=True, slots=True)
class _Grammar:
    markup: re.Pattern[str]
    blocks: frozenset[str]


@functools.cache
def _grammar() -> _Grammar:
    """Return the pattern of everything that is not text; it captures the names of tags.

    Every repeat is possessive and every alternative may end with the page, so that no character is looked at from
    more than a few starting points, whatever is left unclosed: comments, tags, quotes, scripts.
    """
    elements = tomllib.loads((files("tamis.extract") / "elements.toml").read_text("utf-8"))
    breakout = "|".join(elements["breakout"])
    hidden = "|".join(_content_skipped(name, breakout if name == "svg" else "") for name in elements["hidden"])
    markup = (
        r"<(?:"
        r"!--(?!-?>)(?>[^-]++|-(?!-!?>))*+(?:--!?>|\Z)"
        rf"|(?:{hidden})"
        r"|(/?[a-zA-Z][a-zA-Z0-9]*+)(?>[^>=]++|=\s*+(?>\"[^\"]*+\"|'[^']*+')?+)*+(?:>|\Z)"
        r"|[!?/][^>]*+(?:>|\Z)"
        r")"
    )
    return _Grammar(re.compile(markup, re.IGNORECASE), frozenset(elements["blocks"]))


def _content_skipped(name: str, breakout: str) -> str:
    stop = rf"/{name}|(?:{breakout})[\s>]" if breakout else f"/{name}"
    return rf"{name}(?=[\s/>])(?>[^<]++|<(?!{stop}))*+"


def visible_text(html: str) -> str:
    """Return the text of a page outside its markup, in normal form.

    Hidden elements (`script`, `style`, `template`, `svg` …) and comments are left out; CSS is not read. Line breaks
    of the source count as spaces, except inside `<pre>`.
    """
    grammar = _grammar()
    html = _PREFORMATTED.sub(_keep_lines, html.replace("\r\n", "\n").replace("\r", "\n"))
    parts = grammar.markup.split(html.replace("\n", " "))
    pieces = parts[0::2]
    for index, tag in enumerate(parts[1::2]):
        if tag:
            pieces[index] += _break_for(tag.lower(), grammar.blocks)
    return normal_form(_tidy(decode_entities("".join(pieces))))


def _keep_lines(found: re.Match[str]) -> str:
    return found.group().replace("\n", "<br>")


def _break_for(tag: str, blocks: frozenset[str]) -> str:
    name = tag.removeprefix("/")
    if name in blocks:
        return "\n\n" if name == "p" else "\n"
    return "\t" if tag in ("/td", "/th") else ""


def _tidy(text: str) -> str:
    return "\n".join([_SPACES.sub(_one_space, line).strip() for line in text.split("\n")])


def _one_space(found: re.Match[str]) -> str:
    return "\t" if "\t" in found.group() else " "
