"""Extractors side by side on the same pages, one run, one core: speed, latency and F1 with paired intervals.

    python -P benchmarks/extraction.py [--only wceb,aeb,daniel] [--pages N] [--extractors native,trafilatura,…]

From the UTF-8 bytes of a page to its text, in this process, in CPU seconds; the extractors take turns page by page, so
that a busy machine slows all alike. Peers that are not installed are left out and said so: pip install justext
readability-lxml newspaper4k goose3. F1 is over tokens, lower-cased `\\w+` and single Han and Kana characters, averaged
over pages; intervals are of 2,000 paired bootstrap draws of pages. The model that ships has seen wceb and aeb: its F1
there flatters it, and the figures to trust are the cross-validated ones of its card. On daniel
nothing was trained.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

# This folder is first on the path of its scripts, and holds a module named like the standard library's `tokenize`.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

from tamis.extract.native.corpus import Lesson, read_lessons  # noqa: E402
from tamis.extract.native.evaluate import score, split_tokens  # noqa: E402
from tamis.extract.native.extractor import extract_bytes  # noqa: E402
from tamis.extract.native.model import load_model  # noqa: E402

Extract = Callable[[bytes], str]
DATA = Path(__file__).resolve().parents[1] / "../shared/data/extraction"
DRAWS = 2000
LEAST_PAGES = 10
WARM_UP = b"<html><head><title>t</title></head><body><article><p>One page of text, long enough.</p></article></body>"


def native() -> Extract:
    return lambda html: extract_bytes(html).text


def trafilatura() -> Extract:
    import trafilatura

    return lambda html: trafilatura.extract(html.decode("utf-8", "replace")) or ""


def resiliparse() -> Extract:
    from resiliparse.extract.html2text import extract_plain_text

    return lambda html: extract_plain_text(html.decode("utf-8", "replace"), main_content=True)


def justext() -> Extract:
    import justext

    words = justext.get_stoplist("English")

    def extract(html: bytes) -> str:
        paragraphs = justext.justext(html.decode("utf-8", "replace"), words)
        return "\n".join(each.text for each in paragraphs if not each.is_boilerplate)

    return extract


def readability() -> Extract:
    from lxml.html import fromstring
    from readability import Document

    return lambda html: fromstring(Document(html.decode("utf-8", "replace")).summary()).text_content()


def newspaper4k() -> Extract:
    import newspaper

    def extract(html: bytes) -> str:
        article = newspaper.Article("http://page.example/", fetch_images=False)
        article.download(input_html=html.decode("utf-8", "replace"))
        article.parse()
        return article.text

    return extract


def goose3() -> Extract:
    from goose3 import Goose

    reader = Goose({"enable_image_fetching": False})
    return lambda html: reader.extract(raw_html=html.decode("utf-8", "replace")).cleaned_text


EXTRACTORS: dict[str, tuple[str, Callable[[], Extract]]] = {
    "native": ("tamis", native),
    "trafilatura": ("trafilatura", trafilatura),
    "resiliparse": ("resiliparse", resiliparse),
    "justext": ("jusText", justext),
    "readability": ("readability-lxml", readability),
    "newspaper4k": ("newspaper4k", newspaper4k),
    "goose3": ("goose3", goose3),
}


@dataclass(frozen=True, slots=True)
class Side:
    """What one extractor did: CPU seconds (pages,), precision, recall and F1 (pages, 3), and how often it raised."""

    seconds: np.ndarray
    scores: np.ndarray
    raised: int


def found_sides(asked: list[str]) -> dict[str, Extract]:
    sides: dict[str, Extract] = {}
    for name in asked:
        package, make = EXTRACTORS[name]
        try:
            print(f"{name}: {package} {version(package)}")
            sides[name] = make()
        except (ImportError, PackageNotFoundError):
            print(f"{name}: left out, {package} is not installed")
    return sides


def measure(sides: dict[str, Extract], lessons: list[Lesson]) -> dict[str, Side]:
    """Run all extractors on each page, one after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    scores: dict[str, list[tuple[float, ...]]] = {name: [] for name in sides}
    raised = dict.fromkeys(sides, 0)
    for lesson in lessons:
        gold = split_tokens(lesson.gold or "")
        for name, extract in sides.items():
            text, begun = "", time.process_time()
            try:
                text = extract(lesson.html)
            except Exception:
                raised[name] += 1
            seconds[name].append(time.process_time() - begun)
            found = score(split_tokens(text), gold)
            scores[name].append((found.precision, found.recall, found.f1))
    return {name: Side(np.array(seconds[name]), np.array(scores[name]), raised[name]) for name in sides}


def interval(values: np.ndarray) -> str:
    """Return the mean with its 95 % bootstrap interval."""
    draws = np.random.default_rng(0).integers(0, len(values), (DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return f"{values.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def report(name: str, lessons: list[Lesson], sides: dict[str, Side]) -> None:
    """Print the table of a set of pages, then F1 by page type, or by language."""
    size = sum(len(lesson.html) for lesson in lessons)
    mine = next(iter(sides.values()))
    print(f"\n{name}: {len(lessons)} pages, {size / len(lessons) / 1e3:.0f} kB each; differences are first − other")
    print(
        f"{'':12}{'pages/s':>9}{'MB/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}{'times':>7}"
        f"{'F1':>7}{'P':>7}{'R':>7}{'raised':>7}  difference of F1, 95 %"
    )
    for extractor, side in sides.items():
        p50, p99 = np.percentile(side.seconds, [50, 99]) * 1e3
        precision, recall, f1 = side.scores.mean(0)
        print(
            f"{extractor:12}{len(lessons) / side.seconds.sum():9.1f}{size / side.seconds.sum() / 1e6:8.1f}"
            f"{p50:8.2f}{p99:8.1f}{side.seconds.max() * 1e3:8.1f}{side.seconds.sum() / mine.seconds.sum():6.1f}x"
            f"{f1:7.3f}{precision:7.3f}{recall:7.3f}{side.raised:7}  {interval(mine.scores[:, 2] - side.scores[:, 2])}"
        )
    groups = np.array([lesson.kind or lesson.language for lesson in lessons])
    print(f"\n{'F1':16}{'pages':>6}" + "".join(f"{extractor:>13}" for extractor in sides))
    for group in sorted(set(groups.tolist())):
        inside = groups == group
        if inside.sum() >= LEAST_PAGES:
            figures = "".join(f"{side.scores[inside, 2].mean():13.3f}" for side in sides.values())
            print(f"{group:16}{inside.sum():6}{figures}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", default="wceb,aeb,daniel")
    parser.add_argument("--pages", type=int, default=10**9, help="of each set, spread over it")
    parser.add_argument("--extractors", default=",".join(EXTRACTORS))
    parser.add_argument("--core", type=int, default=sorted(os.sched_getaffinity(0))[-1])
    asked = parser.parse_args()
    if not asked.data.is_dir():
        parser.exit(2, f"skipped: no pages in {asked.data}; name a folder of sets by --data\n")
    os.sched_setaffinity(0, {asked.core})
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    load_model()
    sides = found_sides(asked.extractors.split(","))
    for extract in sides.values():
        extract(WARM_UP)
    for name in asked.only.split(","):
        lessons = [lesson for lesson in read_lessons(asked.data / name) if lesson.gold is not None]
        lessons = lessons[:: max(len(lessons) // asked.pages, 1)]
        report(name, lessons, measure(sides, lessons))


if __name__ == "__main__":
    main()
