"""Early exit on real pages: how many leave before the extractor, and how often the slow order would have dropped them.

    python -P benchmarks/early_exit.py [--keep eng] [--extractor trafilatura]

Each page of wceb and daniel is judged twice: by its quick text, as `pipeline/early.py` does, and by the language of
what the extractor makes of it. Prints pages that left, the agreement of both ways, and the CPU seconds of either order.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

# This folder is first on the path of its scripts, and holds a module named like the standard library's `tokenize`.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

from tamis.extract import load  # noqa: E402
from tamis.extract.native.corpus import read_lessons  # noqa: E402
from tamis.pipeline.early import EarlyExit  # noqa: E402
from tamis.pipeline.pages import Page  # noqa: E402
from tamis.recipe import Recipe  # noqa: E402

DATA = Path(__file__).resolve().parents[1] / "../shared/data/extraction"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--keep", default="eng", help="the language asked for")
    parser.add_argument("--extractor", default="trafilatura")
    parser.add_argument("--pages", type=int, default=10**9, help="of each set, spread over it")
    asked = parser.parse_args()
    if not asked.data.is_dir():
        parser.exit(2, f"skipped: no pages in {asked.data}; name a folder of sets by --data\n")
    recipe = Recipe("early", {"extract": {"early_exit": True}, "langid": {"keep": [asked.keep]}})
    settings, extractor = recipe.settings(), load(asked.extractor)
    early = EarlyExit(settings, {})
    early._unwanted(["The first text loads the model."], 0.0)
    extractor.extract("<p>The first page loads the library.</p>", None)
    for name in ("wceb", "daniel"):
        lessons = read_lessons(asked.data / name)
        lessons = lessons[:: max(len(lessons) // asked.pages, 1)]
        pages = [Page(f"{name}:{n}", None, None, each.html, "utf-8", True) for n, each in enumerate(lessons)]
        begun = time.process_time()
        left = early.reasons(pages) | early._checked
        quick_s = time.process_time() - begun
        spent = {True: 0.0, False: 0.0}
        kept = []
        for page in pages:
            begun = time.process_time()
            text = extractor.extract(page.payload.decode(), None).text
            spent[page.id in left] += time.process_time() - begun
            kept.append(bool(text.strip()) and not early._unwanted([text], 0.0)[0])
        gone = [keep for page, keep in zip(pages, kept, strict=True) if page.id in left]
        wrong = sum(gone)
        print(
            f"{name}: {len(left)} of {len(pages)} pages leave early; the slow order drops {len(gone) - wrong} of them "
            f"and keeps {wrong}: agreement {1 - wrong / max(len(pages), 1):.2%} of pages. CPU: slow order "
            f"{sum(spent.values()):.1f} s, early exit {quick_s + spent[False]:.1f} s (the look {quick_s:.1f} s)"
        )
        early._checked.clear()


if __name__ == "__main__":
    main()
