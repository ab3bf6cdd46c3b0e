"""The main job beside datatrove's FineWeb chain: the same WARC, one core each, one run.

    python benchmarks/end_to_end.py [WARC] [--extractor NAME] [--identifier lid.176|own] [--pages N]

Without a WARC, the gold pages of the shared data are packed into one, or, where they are absent, the mini web. Each
side runs in a process of its own pinned to one core, and has gone through the first pages once before the clock
starts: models, kernels and libraries are loaded then. Prints pages/s, the ratio, and peak memory (the largest process
of each side; children counted by the kernel's own accounting).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# This folder is first on the path of its scripts, and holds a module named like the standard library's `tokenize`.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"
EXTRACTORS, IDENTIFIERS = ("resiliparse", "trafilatura"), ("lid.176",)
# Read by both sides before the clock starts.
WARM_PAGES = 50


def run(side: str, *arguments: str, core: int) -> dict[str, float]:
    """Run one side in a fresh interpreter on one core; returns the figures it prints last."""
    command = ["taskset", "-c", str(core), sys.executable, "-W", "ignore", str(HERE / "sides" / side), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def make_warc(folder: Path) -> Path:
    tool = SHARED / "tools" / "make_warc.py"
    if tool.exists():
        subprocess.run([sys.executable, tool, folder / "real.warc.gz"], check=True, stdout=subprocess.DEVNULL)
        return folder / "real.warc.gz"
    from tamis.demo import pack

    pack(folder)
    return folder / "miniweb-00000.warc.gz"


def cut(warc: Path, pages: int, target: Path) -> Path:
    """Copy the first `pages` responses of a WARC to another."""
    from warcio.archiveiterator import ArchiveIterator
    from warcio.warcwriter import WARCWriter

    with warc.open("rb") as source, target.open("wb") as sink:
        writer, written = WARCWriter(sink, gzip=True), 0
        for record in ArchiveIterator(source):
            if record.rec_type == "response" and written < pages:
                writer.write_record(record)
                written += 1
    return target


def row(name: str, figures: dict[str, float], base: float | None) -> str:
    speed = figures["pages"] / figures["seconds"]
    ratio = f"{speed / base:8.1f}×" if base else "        –"
    per_cpu = figures["pages"] / figures["cpu"]
    return (
        f"{name:42}{figures['pages']:7.0f}{figures['kept']:7.0f}{figures['seconds']:9.1f}{speed:10.1f}{per_cpu:12.1f}"
        f"{ratio}{figures['peak_mb']:9.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("warc", nargs="?")
    parser.add_argument("--pages", type=int, default=0, help="use the first N pages only")
    parser.add_argument("--extractor", action="append", help="of ours (repeatable); default: resiliparse, trafilatura")
    parser.add_argument("--recipe", default="fineweb")
    parser.add_argument(
        "--identifier",
        choices=("lid.176", "own"),
        action="append",
        help="of ours (repeatable): datatrove's, or the one the recipe names; default: lid.176",
    )
    parser.add_argument("--core", type=int, default=sorted(os.sched_getaffinity(0))[-1])
    options = parser.parse_args()
    model = SHARED / "data" / "models" / "lid.176.ftz"
    if not model.exists():
        raise SystemExit("skipped: datatrove's language filter needs lid.176.ftz, which is not in the shared data")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        warc = Path(options.warc).resolve() if options.warc else make_warc(folder)
        if options.pages:
            warc = cut(warc, options.pages, folder / "cut.warc.gz")
        small = str(cut(warc, WARM_PAGES, folder / "warm.warc.gz"))
        print(f"{'':42}{'pages':>7}{'kept':>7}{'seconds':>9}{'pages/s':>10}{'pages/CPU-s':>12}{'ratio':>9}{'peak':>12}")
        peer = run("datatrove_chain.py", str(warc), str(folder / "datatrove"), str(model), small, core=options.core)
        base = peer["pages"] / peer["seconds"]
        print(row("datatrove FineWeb chain", peer, None), flush=True)
        ways = [
            (name, which) for name in options.extractor or EXTRACTORS for which in options.identifier or IDENTIFIERS
        ]
        for extractor, identifier in ways:
            changes = {"extract.extractor": extractor, "extract.options": {}}
            chosen = json.dumps(changes if identifier == "own" else changes | {"langid.model": str(model)})
            output = str(folder / f"{extractor}-{identifier}")
            ours = run("ours.py", str(warc), output, options.recipe, chosen, small, core=options.core)
            print(row(f"tamis, {extractor}, {identifier} identifier", ours, base), flush=True)
            if extractor == "trafilatura":
                bare = run("bare_trafilatura.py", str(warc), core=options.core)
                print(row("bare trafilatura", bare, base))
                print(f"everything but trafilatura adds {100 * (ours['cpu'] / bare['cpu'] - 1):.1f} % to its CPU time")


if __name__ == "__main__":
    main()
