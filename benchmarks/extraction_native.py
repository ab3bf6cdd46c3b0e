"""The native extractor beside trafilatura and resiliparse on the same pages, one core, one run.

    python -P benchmarks/extraction_native.py [--data ../shared/data/extraction] [--pages N] [--only wceb,aeb,daniel]

Speed is from UTF-8 bytes to text. The model that ships was trained on wceb and aeb: its F1 there flatters it, and the
figures to trust are the cross-validated ones on its card. On daniel nothing was trained.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import resiliparse.extract.html2text
import trafilatura

from tamis.extract.native.corpus import Lesson, read_lessons
from tamis.extract.native.evaluate import score, split_tokens
from tamis.extract.native.extractor import extract_bytes
from tamis.extract.native.model import load_model

Extract = Callable[[bytes], str]
_DRAWS = 2000

EXTRACTORS: dict[str, Extract] = {
    "native": lambda html: extract_bytes(html).text,
    "resiliparse": lambda html: resiliparse.extract.html2text.extract_plain_text(html.decode(), main_content=True),
    "trafilatura": lambda html: trafilatura.extract(html.decode()) or "",
}


def measure(extract: Extract, lessons: list[Lesson]) -> tuple[np.ndarray, np.ndarray]:
    """Return seconds of CPU and (precision, recall, F1) for each page."""
    seconds, scores = [], []
    for lesson in lessons:
        begun = time.process_time()
        try:
            text = extract(lesson.html)
        except Exception:
            text = ""
        seconds.append(time.process_time() - begun)
        found = score(split_tokens(text), split_tokens(lesson.gold or ""))
        scores.append((found.precision, found.recall, found.f1))
    return np.array(seconds), np.array(scores)


def interval(values: np.ndarray) -> str:
    """Return the mean with its 95 % bootstrap interval."""
    draws = np.random.default_rng(0).integers(0, len(values), (_DRAWS, len(values)))
    low, high = np.percentile(values[draws].mean(1), [2.5, 97.5])
    return f"{values.mean():.4f} [{low:.4f}, {high:.4f}]"


def report(name: str, lessons: list[Lesson]) -> None:
    """Print one table for a set of pages, with groups by page type or language below it."""
    size = sum(len(lesson.html) for lesson in lessons)
    print(f"\n{name}: {len(lessons)} pages, {size / len(lessons) / 1e3:.0f} kB each")
    groups = np.array([lesson.kind or lesson.language for lesson in lessons])
    results = {extractor: measure(extract, lessons) for extractor, extract in EXTRACTORS.items()}
    mine = results["native"]
    for extractor, (seconds, scores) in results.items():
        p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
        print(
            f"{extractor:12s} {len(lessons) / seconds.sum():8.1f} pages/s {size / seconds.sum() / 1e6:7.1f} MB/s"
            f"  p50 {p50:.2f} p99 {p99:.2f} max {seconds.max() * 1e3:.1f} ms"
            f"  F1 {interval(scores[:, 2])} P {scores[:, 0].mean():.4f} R {scores[:, 1].mean():.4f}"
            f"  native is {seconds.sum() / mine[0].sum():.1f} x as fast, F1 {interval(mine[1][:, 2] - scores[:, 2])}"
        )
    for group in sorted(set(groups.tolist())):
        inside = groups == group
        if inside.sum() >= 10:
            figures = "  ".join(
                f"{extractor} {scores[inside, 2].mean():.4f}" for extractor, (_, scores) in results.items()
            )
            print(f"  {group:16s} {inside.sum():4d}  {figures}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data/extraction")
    parser.add_argument("--only", default="wceb,aeb,daniel")
    parser.add_argument("--pages", type=int, default=10**9)
    options = parser.parse_args()
    load_model()
    extract_bytes(b"<p>Compiled before anything is timed.</p>")
    for name in options.only.split(","):
        lessons = [lesson for lesson in read_lessons(options.data / name) if lesson.gold is not None]
        step = max(len(lessons) // options.pages, 1)
        report(name, lessons[::step])


if __name__ == "__main__":
    main()
