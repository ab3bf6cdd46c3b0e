"""trafilatura alone, on pages already read and decoded. Argument: WARC."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import clock
import trafilatura
from fastwarc.warc import ArchiveIterator, WarcRecordType

from tamis.text.encoding import decode


def main(warc: str) -> None:
    with Path(warc).open("rb") as file:
        records = ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True)
        pages = [decode(record.reader.read()).text for record in records]
    trafilatura.extract(pages[0])
    before, started = clock.cpu(), time.perf_counter()
    for page in pages:
        trafilatura.extract(page, favor_precision=True, include_comments=False, deduplicate=True)
    clock.report(len(pages), len(pages), time.perf_counter() - started, clock.cpu() - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
