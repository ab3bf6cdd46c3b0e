"""What the sandbox costs: extractors bare and behind it, in one run, with word F1 against gold text.

    python -P benchmarks/sandboxed.py [--pages 200] [--data ../shared/data/extraction/wceb] [--extractors trafilatura …]

Bare is the library's own function in this process; sandboxed is `tamis.extract.Sandbox`, which adds the child process,
title, language and the normal form. The two take turns, a few pages each, so that a busy machine slows both alike.
CPU seconds count this process and the child's. F1 is over words: lower-cased `\\w+`, single characters for Han and
Kana; averaged over pages, pages with empty gold left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tamis.extract import Extracted, Failure, Sandbox, load
from tamis.text.encoding import decode

TURN = 20
WORDS = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|[^\W\u3040-\u30ff\u3400-\u9fff]+"
)
DEFAULT_DATA = Path(__file__).resolve().parents[1] / "../shared/data/extraction/wceb"


@dataclass(frozen=True, slots=True)
class Page:
    html: str
    url: str | None
    gold: str


@dataclass(slots=True)
class Cost:
    wall_s: float = 0.0
    cpu_s: float = 0.0
    texts: list[str] = field(default_factory=list)


def read_pages(folder: Path, limit: int) -> list[Page]:
    pages = []
    with gzip.open(folder / "gold.jsonl.gz", "rt") as rows:
        for row in map(json.loads, rows):
            gold = row["gold"].get("main_content") or row["gold"].get("articleBody") or ""
            if gold.strip() and len(pages) < limit:
                html = decode(gzip.decompress((folder / row["html"]).read_bytes()), header_charset=None).text
                pages.append(Page(html, row.get("url"), gold))
    return pages


def words(text: str) -> Counter[str]:
    return Counter(WORDS.findall(text.lower()))


def scores(text: str, gold: str) -> tuple[float, float, float]:
    found, wanted = words(text), words(gold)
    shared = sum((found & wanted).values())
    precision = shared / max(sum(found.values()), 1)
    recall = shared / max(sum(wanted.values()), 1)
    return 2 * precision * recall / max(precision + recall, 1e-9), precision, recall


def bare(name: str) -> Callable[[Page], str]:
    if name == "trafilatura":
        import trafilatura
        from trafilatura.deduplication import LRUCache

        return lambda page: (
            trafilatura.extract(
                page.html, url=page.url, favor_precision=True, include_comments=False, deduplicate=LRUCache()
            )
            or ""
        )
    if name == "resiliparse":
        from resiliparse.extract.html2text import extract_plain_text

        return lambda page: extract_plain_text(page.html, main_content=True, alt_texts=False, noscript=True)
    extractor = load(name)
    return lambda page: extractor.extract(page.html, page.url).text


def cpu_s() -> float:
    own = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in [own, *own.children(recursive=True)])


def add(cost: Cost, work: Callable[[], list[str]]) -> None:
    cpu, wall = cpu_s(), time.perf_counter()
    cost.texts += work()
    cost.wall_s += time.perf_counter() - wall
    cost.cpu_s += cpu_s() - cpu


def text_of(outcome: Extracted | Failure) -> str:
    return outcome.text if isinstance(outcome, Extracted) else ""


def turns(pages: list[Page]) -> Iterator[list[Page]]:
    return (pages[at : at + TURN] for at in range(0, len(pages), TURN))


def measure(name: str, pages: list[Page]) -> tuple[Cost, Cost]:
    alone, guarded, call = Cost(), Cost(), bare(name)
    call(pages[0])
    with Sandbox(name) as sandbox:
        sandbox.extract(pages[0].html)
        for turn, batch in enumerate(turns(pages)):

            def in_sandbox(batch: list[Page] = batch) -> list[str]:
                return [text_of(outcome) for outcome in sandbox.extract_many((page.html, page.url) for page in batch)]

            def here(batch: list[Page] = batch) -> list[str]:
                return [call(page) for page in batch]

            order = [(guarded, in_sandbox), (alone, here)]
            for cost, work in order if turn % 2 else order[::-1]:
                add(cost, work)
    return alone, guarded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--extractors", nargs="+", default=["trafilatura", "resiliparse", "plain"])
    asked = parser.parse_args()
    if not asked.data.is_dir():
        parser.exit(2, f"No pages in {asked.data}; name a folder with gold.jsonl.gz by --data.\n")
    pages = read_pages(asked.data, asked.pages)
    size = sum(len(page.html.encode("utf-8", "replace")) for page in pages)
    print(f"{len(pages)} pages, {size / len(pages) / 1e3:.0f} kB on average")
    print(f"{'':12s} {'bare':>8s} {'sandboxed':>10s} {'over':>7s} {'CPU over':>9s} {'F1':>6s} {'P':>6s} {'R':>6s}")
    for name in asked.extractors:
        alone, guarded = measure(name, pages)
        f1, precision, recall = (
            sum(column) / len(pages)
            for column in zip(
                *(scores(text, page.gold) for text, page in zip(guarded.texts, pages, strict=True)), strict=True
            )
        )
        print(
            f"{name:12s} {len(pages) / alone.wall_s:6.1f}/s {len(pages) / guarded.wall_s:8.1f}/s"
            f" {guarded.wall_s / alone.wall_s - 1:+7.1%} {guarded.cpu_s / alone.cpu_s - 1:+9.1%}"
            f" {f1:6.3f} {precision:6.3f} {recall:6.3f}"
        )


if __name__ == "__main__":
    main()
