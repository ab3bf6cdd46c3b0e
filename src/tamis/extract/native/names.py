"""What the scanner knows by name: elements, attributes, the page's own statements, and HTML's character references.

Elements and attributes are looked up by the hash that `words.read_word` makes, all else by a 32-bit hash (FNV-1a,
public domain) of ASCII-lowercased bytes, in open-addressed tables.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from html.entities import html5
from importlib import resources

import numpy as np
import numpy.typing as npt

from tamis.extract.native.layout import EVENT_TITLE
from tamis.extract.native.words import word_hash

# What an element is to the scanner.
PLAIN, BLOCK, VOID, VOID_BLOCK, RAW, SKIP, SKIP_BREAKOUT = range(7)
_KINDS = ("plain", "block", "void", "void-block", "raw", "skip", "skip-breakout")

# Groups of elements, for implied end tags; every element that makes a block is in GROUP_BLOCK as well.
_GROUPS = ("block", "p", "li", "dd", "option", "cell", "row", "rows", "table", "list", "dl", "select", "heading")
_MORE_GROUPS = ("a", "scope")
GROUP_BLOCK, GROUP_P = 1, 2
GROUP_CELL, GROUP_ROW, GROUP_ROWS, GROUP_TABLE = 1 << 5, 1 << 6, 1 << 7, 1 << 8
GROUP_LI, GROUP_HEADING = 1 << 2, 1 << 12
GROUP_LINK, GROUP_SCOPE = 1 << 13, 1 << 14
GROUP_TABLES = GROUP_CELL | GROUP_ROW | GROUP_ROWS | GROUP_TABLE

# What text inherits from the elements around it.
_CONTEXTS = ("article", "main", "section", "nav", "aside", "header", "footer", "form", "quote", "list", "figure")
_MORE_CONTEXTS = ("pre", "heading", "item", "table", "cell", "noscript", "button", "link", "hidden")
IN_ARTICLE, IN_MAIN, IN_SECTION, IN_NAV, IN_ASIDE, IN_HEADER, IN_FOOTER, IN_FORM = (1 << n for n in range(8))
IN_QUOTE, IN_LIST, IN_FIGURE, IN_PRE, IN_HEADING, IN_ITEM, IN_TABLE, IN_CELL = (1 << n for n in range(8, 16))
IN_NOSCRIPT, IN_BUTTON, IN_LINK, IN_HIDDEN = (1 << n for n in range(16, 20))
SECTIONING = IN_ARTICLE | IN_MAIN | IN_SECTION | IN_NAV | IN_ASIDE | IN_HEADER | IN_FOOTER | IN_FORM

# Attributes the scanner reads.
ATTRIBUTES = (
    "class", "id", "role", "itemprop", "style", "hidden", "aria-hidden", "href", "rel", "lang", "xml:lang", "name",
    "property", "http-equiv", "content", "datetime", "type",
)  # fmt: skip
(CLASS, ID, ROLE, ITEMPROP, STYLE, HIDDEN, ARIA_HIDDEN, HREF, REL, LANG, XML_LANG, NAME, PROPERTY, HTTP_EQUIV,
 CONTENT, DATETIME, TYPE) = range(len(ATTRIBUTES))  # fmt: skip
ATTRIBUTE_COUNT = len(ATTRIBUTES)

# Columns of the element table, by tag number; 0 is an element of unknown name.
KIND, GROUP, CLOSES, UNTIL, CONTEXT = range(5)

# Elements the scanner treats by name; the table begins with them.
_NAMED = (
    "p", "br", "a", "html", "title", "script", "body", "meta", "link", "time", "head", "svg", "math", "h1", "h2", "h3",
    "h4", "h5", "h6", "li", "td", "th", "tr", "pre", "table",
)  # fmt: skip
(TAG_P, TAG_BR, TAG_A, TAG_HTML, TAG_TITLE, TAG_SCRIPT, TAG_BODY, TAG_META, TAG_LINK, TAG_TIME, TAG_HEAD, TAG_SVG,
 TAG_MATH, TAG_H1, TAG_H2, TAG_H3, TAG_H4, TAG_H5, TAG_H6, TAG_LI, TAG_TD, TAG_TH, TAG_TR, TAG_PRE,
 TAG_TABLE) = range(1, len(_NAMED) + 1)  # fmt: skip

# What a statement is good for beyond being reported.
ROLE_TITLE, ROLE_ABOUT, ROLE_TYPE, ROLE_PUBLISHED = 1, 2, 4, 8
_ROLES = {"title": ROLE_TITLE, "description": ROLE_ABOUT, "type": ROLE_TYPE, "published": ROLE_PUBLISHED}

FNV_START, FNV_PRIME, HASH_MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF

Table = npt.NDArray[np.int64]


def name_hash(name: str | bytes) -> int:
    """Return the 32-bit FNV-1a hash of a name's UTF-8 bytes, ASCII letters lowercased."""
    found = FNV_START
    for byte in (name.encode() if isinstance(name, str) else name).lower():
        found = ((found ^ byte) * FNV_PRIME) & HASH_MASK
    return found


def case_hash(name: str) -> int:
    """As `name_hash`, letters as they are: `&Auml;` is not `&auml;`."""
    found = FNV_START
    for byte in name.encode():
        found = ((found ^ byte) * FNV_PRIME) & HASH_MASK
    return found


def hash_table(hashes: Iterable[int], values: Iterable[int]) -> Table:
    """Return an open-addressed table, shape (2**k, 2) int64: hash + 1 and value; 0 marks a free place.

    `k` leaves it at most half full, so that a search for what is not there ends soon.
    """
    pairs = list(zip(hashes, values, strict=True))
    size = 16
    while size < 2 * len(pairs):
        size *= 2
    table = np.zeros((size, 2), np.int64)
    for found, value in pairs:
        place = found & (size - 1)
        while table[place, 0]:
            place = (place + 1) & (size - 1)
        table[place] = found + 1, value
    return table


@dataclass(frozen=True, slots=True)
class Names:
    """The scanner's tables.

    `elements` (tags, 5) int64 by tag number; `element_numbers`, `attribute_numbers`, `statement_numbers` and
    `reference_places` are hash tables; `roles` (128,) int64 the ROLE bits by kind of event; `references` holds the
    UTF-8 of all character references, each after its length; `windows_1252` what the numbers 0x80 to 0x9F stand for.
    `tags` are the element names by number.
    """

    tags: tuple[str, ...]
    elements: Table
    element_numbers: Table
    attribute_numbers: Table
    statements: tuple[str, ...]
    statement_numbers: Table
    roles: Table
    reference_places: Table
    references: npt.NDArray[np.uint8]
    windows_1252: Table

    def tag(self, name: str) -> int:
        """Return the number of an element."""
        return self.tags.index(name)


@functools.cache
def names() -> Names:
    """Return the tables, built once per process from `data/*.tsv` and the standard library's list of references."""
    rows = {row["name"]: row for row in read_rows("elements.tsv")}
    tags = ("", *_NAMED, *(name for name in rows if name not in _NAMED))
    elements = np.array([[0] * 5, *(_element(rows[tag]) for tag in tags[1:])], np.int64)
    statements = read_rows("statements.tsv")
    kinds = tuple(dict.fromkeys(row["kind"] for row in statements))
    places, references = _references()
    roles = np.zeros(128, np.int64)
    roles[[EVENT_TITLE, *map(kinds.index, _ROLES)]] = [ROLE_TITLE, *_ROLES.values()]
    return Names(
        tags,
        elements,
        hash_table(map(word_hash, tags[1:]), range(1, len(tags))),
        hash_table(map(word_hash, ATTRIBUTES), range(len(ATTRIBUTES))),
        kinds,
        hash_table((name_hash(row["name"]) for row in statements), (kinds.index(row["kind"]) for row in statements)),
        roles,
        places,
        references,
        np.array([ord(bytes([n]).decode("cp1252", "ignore") or chr(n)) for n in range(0x80, 0xA0)], np.int64),
    )


def read_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the package's TSV files."""
    text = resources.files("tamis.extract.native").joinpath("data", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))


def _element(row: dict[str, str]) -> list[int]:
    kind = _KINDS.index(row["kind"])
    groups = (*_GROUPS, *_MORE_GROUPS)
    group = _bits(row["group"], groups) | (GROUP_BLOCK if kind == BLOCK else 0)
    contexts = _bits(row["context"], (*_CONTEXTS, *_MORE_CONTEXTS))
    return [kind, group, _bits(row["closes"], groups), _bits(row["until"], groups), contexts]


def _bits(words: str | None, names: tuple[str, ...]) -> int:
    return sum(1 << names.index(word) for word in (words or "").split())


def _references() -> tuple[Table, npt.NDArray[np.uint8]]:
    stored = bytearray()
    hashes, places = [], []
    for name, text in html5.items():
        hashes.append(case_hash(name))
        places.append(len(stored))
        raw = text.encode()
        stored += bytes([len(raw)]) + raw
    return hash_table(hashes, places), np.frombuffer(bytes(stored), np.uint8)
