"""Fragments of HTML for the mini web's templates, and the ways its pages are broken."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

TEMPLATES = Path(__file__).resolve().parent / "templates"


def escape(text: str) -> str:
    return html.escape(text, quote=True)


def paragraphs(texts: Iterable[str]) -> str:
    return "\n".join(f"<p>{escape(text)}</p>" for text in texts)


def items(texts: Iterable[str]) -> str:
    return "\n".join(f"<li>{escape(text)}</li>" for text in texts)


def links(targets: Iterable[tuple[str, str]]) -> str:
    """Return list items linking to (title, address) pairs."""
    return "\n".join(f'<li><a href="{escape(url)}">{escape(title)}</a></li>' for title, url in targets)


def posts(entries: Iterable[dict[str, str]]) -> str:
    """Return the posts of a thread. Each head differs by its number: repeated lines are what filters drop pages for."""
    return "\n".join(
        f'<div class="post" id="p{number}"><div class="post-head"><b class="user">{escape(entry["author"])}</b> '
        f'<a href="#p{number}">#{number}</a></div>\n<div class="post-body"><p>{escape(entry["text"])}</p></div></div>'
        for number, entry in enumerate(entries, 1)
    )


def sections(entries: Iterable[dict[str, str]]) -> str:
    return "\n".join(
        f'<h2 id="s{number}">{escape(entry["heading"])}</h2>\n<p>{escape(entry["text"])}</p>'
        for number, entry in enumerate(entries, 1)
    )


def rows(specs: list[list[str]]) -> str:
    """Return table rows of two (name, value) pairs each."""
    cells = [f"<td>{escape(name)}</td><td>{escape(value)}</td>" for name, value in specs]
    return "\n".join(f"<tr>{''.join(cells[i : i + 2])}</tr>" for i in range(0, len(cells), 2))


@cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / f"{name}.html").read_text(encoding="utf-8"))


def fill(name: str, fields: dict[str, Any]) -> str:
    """Return the template with its fields in place; a field it lacks raises KeyError."""
    return _template(name).substitute(fields)


def damage(page: str, kind: str) -> str:
    """Return the page broken in one of the ways plan.toml lists; any other `kind` leaves it whole."""
    if kind == "unclosed":
        return re.sub(r"</(p|li|td|tr|h1|h2)>", "", page, flags=re.IGNORECASE)
    if kind == "stray":
        return page.replace("</p>\n<p>", "</p>\n</b></font></span>\n<p>").replace("</h1>", "</h1></h3></em>")
    if kind == "headless":
        return re.sub(r"</?(html|head|body)\b[^>]*>\n?|<!doctype[^>]*>\n?", "", page, flags=re.IGNORECASE)
    if kind == "nested":
        return page.replace("\n<p>", "\n<table><tr><td><table><tr><td>\n<p>", 1)
    return page
