"""The mini web is what its contents say: committed pages equal a rebuild, and packing is deterministic."""

from __future__ import annotations

import codecs
import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

MINIWEB = Path(__file__).resolve().parents[2] / "examples" / "miniweb"
PAGES = MINIWEB / "pages"
UNSPACED = {"cmn_Hans", "jpn_Jpan", "tha_Thai"}
SHORTER_WORDS = {"kor_Hang", "amh_Ethi", "tam_Taml"}
PROSE = {"article", "brief", "forum", "shop"}
REASONS = {
    "exact_duplicate", "near_duplicate", "url", "http_status", "mime", "too_short",
    "lorem_ipsum", "curly_bracket", "repetition", "quality", "language", "empty",
}  # fmt: skip


@pytest.fixture(scope="module")
def miniweb() -> ModuleType:
    spec = importlib.util.spec_from_file_location("miniweb_build", MINIWEB / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def entries(miniweb: ModuleType) -> list:
    return list(miniweb.iter_pages(PAGES))


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_committed_pages_equal_a_rebuild(miniweb: ModuleType, tmp_path: Path) -> None:
    miniweb.build(tmp_path / "pages")
    built, committed = _files(tmp_path / "pages"), _files(PAGES)
    assert sorted(built) == sorted(committed)
    assert [name for name in built if built[name] != committed[name]] == [], "run python examples/miniweb/build.py"


def test_there_are_enough_pages(entries: list) -> None:
    languages = Counter(
        page["language"] for page, _ in entries if page["kind"] == "article" and not page["duplicate_of"]
    )
    assert len(entries) >= 240
    assert len(languages) >= 24
    assert min(languages.values()) >= 4
    assert len({code.split("_")[1] for code in languages}) >= 12


def test_sidecars_are_consistent(entries: list) -> None:
    urls = [page["url"] for page, _ in entries]
    assert [url for url, count in Counter(urls).items() if count > 1] == []
    for page, _ in entries:
        assert page["expect"] in ("kept", "dropped", "any"), page["url"]
        assert (page["reason"] in REASONS) == (page["expect"] == "dropped"), page["url"]
        assert REASONS.issuperset(page["or_reasons"]), page["url"]
        assert page["duplicate_of"] is None or page["duplicate_of"] in urls
        assert re.match(r"https?://[a-z0-9.-]+\.example(:\d+)?/", page["url"]), page["url"]


def _size(text: str, language: str) -> int:
    return len(text) if language in UNSPACED else len(text.split())


def test_articles_are_long_enough_to_judge(entries: list) -> None:
    short = []
    for page, _ in entries:
        unspaced, fewer = page["language"] in UNSPACED, page["language"] in SHORTER_WORDS
        least = {
            "article": 500 if unspaced else 110 if fewer else 140,
            "brief": 260 if unspaced else 50 if fewer else 70,
        }
        size = _size(page["main_text"], page["language"])
        if size < least.get(page["kind"], 0):
            short.append((page["language"], page["url"], size))
    assert short == []


def test_texts_hold_nothing_a_line_filter_would_take(entries: list) -> None:
    phrases = ("lorem ipsum", "javascript", "terms of use", "privacy policy", "cookie policy", "use cookies", "{")
    prose = [(p["url"], p["main_text"].lower()) for p, _ in entries if p["expect"] == "kept" and p["kind"] in PROSE]
    found = [(url, phrase) for url, text in prose for phrase in phrases if phrase in text]
    assert found == []


def test_near_duplicates_are_near(miniweb: ModuleType, entries: list) -> None:
    text = {page["url"]: page["main_text"] for page, _ in entries}
    for page, _ in entries:
        if page["url"].startswith("https://mirror-"):
            assert 0.85 <= miniweb.similarity(page["main_text"], text[page["duplicate_of"]]) <= 0.96, page["url"]


def test_bodies_are_in_the_charset_they_claim(miniweb: ModuleType, entries: list) -> None:
    charsets = Counter()
    for page, body in entries:
        charset = page["charset"]
        text = codecs.decode(body, miniweb.CODECS.get(charset, charset), "strict")
        charsets[charset] += 1
        if page["kind"] == "article" and not page["duplicate_of"] and charset == "utf-8":
            assert page["title"] in miniweb.markup.html.unescape(text)
    assert len(charsets) >= 15


@pytest.mark.parametrize("warcs", [1, 3])
def test_packing_is_deterministic_and_keeps_originals_first(
    miniweb: ModuleType, entries: list, tmp_path: Path, warcs: int
) -> None:
    from warcio.archiveiterator import ArchiveIterator

    first, second = (miniweb.pack(PAGES, tmp_path / name, warcs=warcs) for name in ("a", "b"))
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert (tmp_path / "a" / "warc.paths").read_text().split() == [p.name for p in first]
    place = {}
    bodies = {}
    for number, path in enumerate(first):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                if record.rec_type == "response":
                    url = record.rec_headers.get_header("WARC-Target-URI")
                    place[url] = (number, len(place))
                    bodies[url] = record.content_stream().read()
    assert bodies == {page["url"]: body for page, body in entries}
    pairs = [(place[page["duplicate_of"]], place[page["url"]]) for page, _ in entries if page["duplicate_of"]]
    assert all(original < duplicate for original, duplicate in pairs)
    if warcs > 1:
        assert {original[0] == duplicate[0] for original, duplicate in pairs} == {True, False}
