"""Our side: a recipe over one WARC, in this process. Arguments: WARC, output, recipe, overrides, warm-up WARC."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import clock

import tamis
from tamis.pipeline.models import close_extractors


def main(warc: str, output: str, recipe: str, overrides: str, small: str) -> None:
    chosen = json.loads(overrides)
    tamis.run(small, Path(output) / "warm", recipe=recipe, executor="inline", overrides=chosen)
    before, started = clock.cpu(), time.perf_counter()
    report = tamis.run(warc, Path(output) / "out", recipe=recipe, executor="inline", overrides=chosen)
    seconds, used = time.perf_counter() - started, clock.cpu() - before
    close_extractors()
    pages = report.ledger.total("read", "kept").documents
    clock.report(pages, report.ledger.total("tokenize", "kept").documents, seconds, used)


if __name__ == "__main__":
    main(*sys.argv[1:])
