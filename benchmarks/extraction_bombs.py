"""Pages made to cost more than their bytes, through the native extractor: seconds for each 10 MB, and how it grows.

    python -P benchmarks/extraction_bombs.py [--megabytes 50]

Each page is made at a tenth of the size and at the full size; time is CPU seconds of this process. The goal is below
1 s for 10 MB at either size, and growth no worse than the size's.
"""

from __future__ import annotations

import argparse
import resource
import time

from tamis.extract.native.extractor import extract_bytes

WORDS = b"The one paragraph of this page, which is long enough to be taken for what it is. "
UNITS: dict[str, bytes] = {
    "prose": b"<p>" + WORDS * 4 + b"</p>\n",
    "real markup": b"<div class='c d'>"
    + WORDS
    + b"<ul><li><a href=/x>a link</a><li>two</ul></div><script>var x;</script>\n",
    "cells of a table": b"<tr><td colspan=9007199254740991>x<td>y",
    "links": b"<a href=/x/y/z>link</a> ",
    "line breaks": b"<br>",
    "paragraphs": b"<p>x",
    "open elements": b"<div>",
    "open links": b"<a>x",
    "end tags": b"</b></i>",
    "angles": b"<",
    "comments": b"<!-->",
    "open comments": b"<!--x",
    "quotes": b'<p class="',
    "attributes": b"<p a=1 b=2 class=x y id=z>",
    "classes": b"<p class='%d a-b_cD'>x",
    "references": b"&nGt;",
    "ampersands": b"&",
    "spaces": b" " * 64,
    "scripts": b"<script><!--<script>",
    "raw ends": b"<style></styl",
    "letters": b"x" * 64,
    "unspaced script": "中文".encode() * 16,
    "not UTF-8": b"\xff\xc2\xe3" * 16,
    "zeros": b"\0" * 64,
}
# Elements that stay open while what follows is read.
OPEN: dict[str, tuple[bytes, bytes]] = {
    "ends of unknown tags": (b"<x>" * 510, b"</y>"),
    "items in open divs": (b"<ul>" + b"<div>" * 508, b"<li>"),
    "cells in open tags": (b"<table>" + b"<x>" * 508, b"<td>"),
}


def made(unit: bytes, size: int) -> bytes:
    """Return so many bytes of a unit; numbers in it count up."""
    if b"%d" in unit:
        return b"".join(unit.replace(b"%d", b"%d" % number) for number in range(size // len(unit)))
    return unit * (size // len(unit))


def seconds(page: bytes) -> float:
    begun = time.process_time()
    extract_bytes(page)
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=50.0)
    size = int(parser.parse_args().megabytes * 1e6)
    extract_bytes(b"<p>Compiled before anything is timed.</p>")
    print(f"{'':22}{'s/10 MB':>9}{'s/10 MB':>9}{'growth':>8}\n{'':22}{size / 1e7:6.1f} MB{size / 1e6:6.1f} MB")
    worst = 0.0
    for name, (begin, unit) in {**{name: (b"", unit) for name, unit in UNITS.items()}, **OPEN}.items():
        small, large = (seconds(begin + made(unit, part)) / part * 1e7 for part in (size // 10, size))
        worst = max(worst, small, large)
        print(f"{name:22}{small:9.3f}{large:9.3f}{large / small:8.2f}", flush=True)
    deep = b"<div>" * 20_000 + b"<p>" + WORDS + b"</p>" + b"</div>" * 20_000
    kept = "The one paragraph" in extract_bytes(deep).text
    print(f"20,000 nested divs keep their paragraph: {kept}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"worst {worst:.3f} s for 10 MB; peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
