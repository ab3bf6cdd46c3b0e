"""Build the bundled mini web: contents and templates in, pages with sidecars that say what must become of them out."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

HERE = Path(__file__).resolve().parent


def _beside(name: str) -> ModuleType:
    """Return the module of this folder, which is on no import path: the file is run, or loaded, by its own path."""
    spec = importlib.util.spec_from_file_location(f"miniweb_{name}", HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


markup = _beside("markup")
packing = _beside("packing")
iter_pages = packing.iter_pages
pack = packing.pack

CRAWLED = "2024-03-{day:02d}T08:{minute:02d}:00Z"
# Codecs Python has no name for, or whose byte order would depend on the machine.
CODECS = {"windows-874": "cp874", "utf-16": "utf-16-le"}
BYTE_ORDER_MARKS = {"utf-8": b"\xef\xbb\xbf", "utf-16": b"\xff\xfe"}
# One paragraph added to a text of 140 words or more; 0.93 is safely found by 14 bands of 8 rows.
NEAR_SIMILARITY = 0.93

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page before it is encoded. `declared` and `damage` are words of plan.toml; `role` is its key there."""

    folder: str
    slug: str
    role: str
    url: str
    language: str
    kind: str
    title: str
    main_text: str
    layout: str
    fields: Table
    charset: str = "utf-8"
    declared: str = "both"
    damage: str = ""
    whole: str | None = None  # a response taken as it is; `layout` and `fields` are then unused
    status: int = 200
    mime: str = "text/html"
    expect: str = "kept"
    reason: str | None = None
    duplicate_of: str | None = None
    or_reasons: tuple[str, ...] = ()
    or_languages: tuple[str, ...] = ()


# Pages of one language.


def _host(kind: str, language: str) -> str:
    return f"{kind}-{language[:3]}.example"


def _chrome(content: Table, minute: int) -> Table:
    """Return the template fields that every page of the language shares."""
    strings = {key: markup.escape(value) for key, value in content["chrome"].items()}
    strings["price_label"] = strings.pop("price")
    return strings | {
        "html_lang": content["html_lang"],
        "direction": content["direction"],
        "site": markup.escape(content["site"]),
        "date": CRAWLED.format(day=1 + minute, minute=minute),
        "day": f"{1 + minute:02d}.03.2024",
    }


def _article(content: Table, number: int, layout: str) -> Page:
    """Return article `number` (from 1), or the brief for 5, linking to the others."""
    language = content["language"]
    stories = [*content["articles"], {"slug": "brief", "author": content["site"], **content["brief"]}]
    story = stories[number - 1]
    host = _host("news", language)
    others = [(s["title"], f"https://{host}/2024/{s['slug']}") for s in stories if s is not story]
    fields = _chrome(content, number) | {
        "title": markup.escape(story["title"]),
        "author": markup.escape(story["author"]),
        "description": markup.escape(story["paragraphs"][0]),
        "body": markup.paragraphs(story["paragraphs"]),
        "links": markup.links(others),
    }
    brief = number == len(stories)
    return Page(
        folder=language,
        slug=story["slug"],
        role="brief" if brief else f"article-{number}",
        url=f"https://{host}/2024/{story['slug']}",
        language=language,
        kind="brief" if brief else "article",
        title=story["title"],
        main_text="\n".join(story["paragraphs"]),
        layout=layout,
        fields=fields,
    )


def _exact(original: Page) -> Page:
    """Return `original` as an archive republishes it: another address and layout, the same words."""
    host = _host("archive", original.language)
    return replace(
        original,
        slug="exact-duplicate",
        role="exact",
        url=f"http://{host}/~old/{original.slug}.html",
        layout="archive",
        expect="dropped",
        reason="exact_duplicate",
        duplicate_of=original.url,
    )


def _near(original: Page, content: Table) -> Page:
    """Return `original` as another paper reprints it: one paragraph more, everything around it different."""
    host = _host("mirror", original.language)
    extra = _addition(original.main_text, content["brief"]["paragraphs"])
    fields = original.fields | {
        "site": host,
        "home": original.fields["news"],
        "news": original.fields["related"],
        "body": f"{original.fields['body']}\n<p>{markup.escape(extra)}</p>",
    }
    return replace(
        original,
        slug="near-duplicate",
        role="near",
        url=f"https://{host}/story?id={len(original.main_text)}&from={original.slug}",
        main_text=f"{original.main_text}\n{extra}",
        layout="magazine",
        fields=fields,
        expect="dropped",
        reason="near_duplicate",
        duplicate_of=original.url,
    )


def _other(content: Table, role: str, title: str, main_text: str, fields: Table) -> Page:
    """Return the forum, shop or manual page of the language; `role` is also its layout and folder on its host."""
    language = content["language"]
    number = ("forum", "shop", "docs").index(role)
    home = f"https://{_host('news', language)}/2024"
    links = markup.links((story["title"], f"{home}/{story['slug']}") for story in content["articles"][:3])
    shared = {"title": markup.escape(title), "links": links} | _chrome(content, 10 + number)
    # Addresses outside ASCII, as browsers send them.
    url = f"https://{_host(role, language)}/{quote(title.replace(' ', '_'))}"
    return Page(language, role, role, url, language, role, title, main_text, role, shared | fields)


def _forum(content: Table) -> Page:
    forum = content["forum"]
    text = "\n".join(post["text"] for post in forum["posts"])
    body = markup.posts(forum["posts"])
    return _other(content, "forum", forum["title"], text, {"body": body})


def _shop(content: Table) -> Page:
    shop = content["shop"]
    fields = {
        "body": markup.paragraphs(shop["description"]),
        "rows": markup.rows(shop["specs"]),
        "price": markup.escape(shop["price"]),
    }
    return _other(content, "shop", shop["title"], "\n".join(shop["description"]), fields)


def _docs(content: Table) -> Page:
    docs = content["docs"]
    text = [part for s in docs["sections"] for part in (s["heading"], s["text"])]
    fields = {
        "body": markup.sections(docs["sections"]),
        "toc": markup.links((s["heading"], f"#s{n}") for n, s in enumerate(docs["sections"], 1)),
        "steps": markup.items(docs["steps"]),
        "code": markup.escape(docs["code"].strip()),
    }
    return _other(content, "docs", docs["title"], "\n".join([*text, *docs["steps"], docs["code"].strip()]), fields)


def language_pages(content: Table, plan: Table) -> list[Page]:
    """Return the ten pages of one language, originals first, with the encodings and damage `plan` gives them."""
    layouts = ("article", "magazine", "article", "oldstyle", "magazine")
    articles = [_article(content, number, layout) for number, layout in enumerate(layouts, 1)]
    pages = [*articles, _forum(content), _shop(content), _docs(content), _near(articles[0], content)]
    pages.append(_exact(articles[1]))
    dressed = []
    for page in pages:
        charset, declared = plan.get("encoding", {}).get(page.role, ("utf-8", "both"))
        damage = plan.get("damage", {}).get(page.role, "")
        dressed.append(replace(page, charset=charset, declared=declared, damage=damage))
    return dressed


# How alike two texts are, for choosing what a near duplicate adds.


def _shingles(text: str) -> set[tuple[str, ...]]:
    """Return the 5-grams of words, or of characters where words are not spaced."""
    words = text.split()
    units = words if len(text) < 12 * len(words) else list("".join(words))
    return {tuple(units[i : i + 5]) for i in range(len(units) - 4)}


def similarity(a: str, b: str) -> float:
    """Return the Jaccard similarity of the two texts' 5-grams, in [0, 1]."""
    left, right = _shingles(a), _shingles(b)
    return len(left & right) / max(1, len(left | right))


def _addition(text: str, paragraphs: list[str]) -> str:
    """Return the sentences of `paragraphs` whose addition brings the similarity to `text` nearest the goal."""
    sentences = [
        s
        for p in paragraphs
        for s in re.split(r"(?<=[.!?\u061f\u06d4\u0964\u1362])\s+|(?<=[\u3002\uff01\uff1f])", p)
        if s
    ]
    if len(sentences) < 3:  # Thai puts a space between sentences and nothing else
        sentences = [s for p in paragraphs for s in p.split()]
    runs = [
        " ".join(sentences[i:j]) for i in range(len(sentences)) for j in range(i + 1, min(i + 4, len(sentences) + 1))
    ]
    return min(runs, key=lambda run: abs(similarity(text, f"{text}\n{run}") - NEAR_SIMILARITY))


# Special pages.


def special_page(special: Table, contents: dict[str, Table]) -> Page:
    """Return the page of one [[pages]] table of special.toml; see README.md for its keys."""
    language = special["language"]
    content = contents.get(language, {"html_lang": "en", "direction": "ltr"})
    depth = special.get("nested", 0)
    body = special["body"]
    fields = {
        "html_lang": content["html_lang"],
        "direction": content["direction"],
        "title": markup.escape(special["title"]),
        "body": f"{'<div>' * depth}{body}{'</div>' * depth}",
    }
    mime = special.get("content_type", "text/html")
    return Page(
        folder="special",
        slug=special["slug"],
        role="special",
        url=special["url"],
        language=language,
        kind=special["kind"],
        title=special["title"],
        main_text=special.get("main_text", "").strip(),
        layout="plain",
        fields=fields,
        charset=special.get("charset", "utf-8"),
        declared="both" if "html" in mime else "none",
        whole=body if special.get("raw") else None,
        status=special.get("status", 200),
        mime=mime,
        expect=special["expect"],
        reason=special.get("reason"),
        or_reasons=tuple(special.get("or_reasons", ())),
        or_languages=tuple(special.get("or_languages", ())),
    )


# From page to bytes.


def _render(page: Page) -> str:
    if page.whole is not None:
        return page.whole
    declares = page.declared in ("both", "meta", "wrong")
    meta = f'<meta charset="{page.charset}">' if declares else "<!-- no charset -->"
    if page.layout == "oldstyle" and declares:
        meta = f'<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset={page.charset}">'
    fields = page.fields | {"charset_meta": meta, "url": markup.escape(page.url)}
    rendered: str = markup.damage(markup.fill(page.layout, fields), page.damage)
    return rendered


def encode(page: Page) -> bytes:
    """Return the body in the page's charset; characters it lacks become numeric references, as authors write them."""
    codec = CODECS.get(page.charset, page.charset)
    mark = BYTE_ORDER_MARKS[page.charset] if page.declared == "bom" else b""
    return mark + _render(page).encode(codec, errors="xmlcharrefreplace")


def _content_type(page: Page) -> str:
    if page.declared in ("both", "header"):
        return f"{page.mime}; charset={page.charset}"
    if page.declared == "wrong":
        return f"{page.mime}; charset={'iso-8859-1' if page.charset == 'utf-8' else 'utf-8'}"
    return page.mime


def sidecar(page: Page) -> Table:
    """Return what the page is and what must become of it, as README.md lists it."""
    return {
        "url": page.url,
        "date": page.fields.get("date", CRAWLED.format(day=30, minute=0)),
        "status": page.status,
        "content_type": _content_type(page),
        "charset": page.charset,
        "language": page.language,
        "kind": page.kind,
        "expect": page.expect,
        "reason": page.reason,
        "or_reasons": list(page.or_reasons),
        "or_languages": list(page.or_languages),
        "duplicate_of": page.duplicate_of,
        "title": page.title,
        "main_text": page.main_text,
    }


# Folders.


def _load(path: Path) -> Table:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def all_pages() -> list[Page]:
    """Return every page of the mini web, ordered by language and then specials."""
    plan = _load(HERE / "plan.toml")
    paths = sorted((HERE / "content").glob("*_*.toml"))
    contents = {path.stem: _load(path) for path in paths}
    pages = [page for code, content in contents.items() for page in language_pages(content, plan.get(code, {}))]
    special = HERE / "content" / "special.toml"
    specials = _load(special)["pages"] if special.exists() else []
    return pages + [special_page(table, contents) for table in specials]


def build(folder: Path) -> int:
    """Write every page and sidecar under `folder`, replacing what was there, and return how many pages there are."""
    if folder.exists():
        shutil.rmtree(folder)
    pages = all_pages()
    for page in pages:
        path = folder / page.folder / f"{page.slug}.html"
        if path.exists():
            raise ValueError(f"Two pages are called {page.folder}/{page.slug}.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(page))
        record = json.dumps(sidecar(page), ensure_ascii=False, indent=1)
        path.with_suffix(".json").write_text(record + "\n", encoding="utf-8", newline="\n")
    return len(pages)


def main(arguments: list[str] | None = None) -> None:
    """Rewrite pages/, and pack them where `--pack` says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, metavar="OUT", help="also pack the pages into WARC files in this folder")
    options = parser.parse_args(arguments)
    print(f"{build(HERE / 'pages')} pages in {HERE / 'pages'}")
    if options.pack:
        for path in pack(HERE / "pages", options.pack):
            print(path)


if __name__ == "__main__":
    main()
