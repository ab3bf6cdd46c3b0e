"""The main job beside datatrove's FineWeb chain: the same WARC, one core each, one run.

    python benchmarks/end_to_end.py [WARC] [--extractor NAME] [--pages N]

Without a WARC, the gold pages of the shared data are packed into one, or, where they are absent, the mini web. Each
side runs in a process of its own pinned to one core, kernels compiled beforehand. Prints pages/s, the ratio, and peak
memory (the largest process of each side; children counted by the kernel's own accounting).
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

CLOCK = """
import json, psutil, resource, sys, time
def cpu():
    """CPU seconds of this process and everything below it, ended or not."""
    tree = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(each.cpu_times()[:4]) for each in tree)
def peak():
    """Resident megabytes of the largest process."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
"""

TAMIS = """
from pathlib import Path
import tamis
from tamis.pipeline.models import close_extractors
warc, output, recipe, overrides = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
tamis.run(sys.argv[5], Path(output) / "warm", recipe=recipe, executor="inline", overrides=overrides)
before, started = cpu(), time.perf_counter()
report = tamis.run(warc, Path(output) / "out", recipe=recipe, executor="inline", overrides=overrides)
wall, used = time.perf_counter() - started, cpu() - before
close_extractors()
pages = report.ledger.total("read", "kept").documents
kept = report.ledger.total("tokenize", "kept").documents
print(json.dumps({"pages": pages, "kept": kept, "seconds": wall, "cpu": used, "peak_mb": peak()}))
"""

DATATROVE = """
import fasttext
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter, LanguageFilter,
)
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.text import split_into_words
warc, output, model = sys.argv[1], sys.argv[2], sys.argv[3]
language = LanguageFilter()
language.model._model = fasttext.FastText._FastText(model)
# The wrapper's predict breaks under NumPy 2 on single strings; the batch form it offers does not.
single = type(language.model._model).predict
language.model._model.predict = lambda text, k: [each[0] for each in single(language.model._model, [text], k=k)]
split_into_words("warm up the word tokenizer")
folder, _, name = warc.rpartition("/")
kept = [0]
def count(data, rank=0, world_size=1):
    for document in data:
        kept[0] += 1
        yield document
reader = WarcReader(folder, glob_pattern=name)
steps = [
    reader, Trafilatura(favour_precision=True), language, GopherRepetitionFilter(), GopherQualityFilter(),
    C4QualityFilter(filter_no_terminal_punct=False), FineWebQualityFilter(), count, JsonlWriter(output),
]
before, started = cpu(), time.perf_counter()
data = None
for step in steps:
    data = step(data, 0, 1) if data is not None or step is not reader else step.run(None, 0, 1)
for _ in data:
    pass
wall, used = time.perf_counter() - started, cpu() - before
pages = reader.stats["documents"].total
print(json.dumps({"pages": pages, "kept": kept[0], "seconds": wall, "cpu": used, "peak_mb": peak()}))
"""

BARE = """
from fastwarc.warc import ArchiveIterator, WarcRecordType
from tamis.text.encoding import decode
import trafilatura
def pages(path):
    for record in ArchiveIterator(open(path, "rb"), record_types=WarcRecordType.response, parse_http=True):
        yield record.reader.read()
bodies = [decode(body).text for body in pages(sys.argv[1])]
trafilatura.extract(bodies[0])
started, before = time.perf_counter(), cpu()
for body in bodies:
    trafilatura.extract(body, favor_precision=True, include_comments=False, deduplicate=True)
wall, used = time.perf_counter() - started, cpu() - before
print(json.dumps({"pages": len(bodies), "kept": len(bodies), "seconds": wall, "cpu": used, "peak_mb": peak()}))
"""


def run(code: str, *arguments: str, core: int) -> dict[str, float]:
    """Run a script in a fresh interpreter on one core; returns the figures it prints last."""
    command = ["taskset", "-c", str(core), sys.executable, "-W", "ignore", "-c", CLOCK + code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"})
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
        f"{name:34}{figures['pages']:7.0f}{figures['kept']:7.0f}{figures['seconds']:9.1f}{speed:10.1f}{per_cpu:12.1f}"
        f"{ratio}{figures['peak_mb']:9.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("warc", nargs="?")
    parser.add_argument("--pages", type=int, default=0, help="use the first N pages only")
    parser.add_argument("--extractor", action="append", help="of ours (repeatable); default: resiliparse, trafilatura")
    parser.add_argument("--recipe", default="fineweb")
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
        small = str(cut(warc, 5, folder / "warm.warc.gz"))
        print(f"{'':34}{'pages':>7}{'kept':>7}{'seconds':>9}{'pages/s':>10}{'pages/CPU-s':>12}{'ratio':>9}{'peak':>12}")
        peer = run(DATATROVE, str(warc), str(folder / "datatrove"), str(model), core=options.core)
        base = peer["pages"] / peer["seconds"]
        print(row("datatrove FineWeb chain", peer, None), flush=True)
        for extractor in options.extractor or ["resiliparse", "trafilatura"]:
            chosen = json.dumps({"extract.extractor": extractor, "extract.options": {}, "langid.model": str(model)})
            ours = run(TAMIS, str(warc), str(folder / extractor), options.recipe, chosen, small, core=options.core)
            print(row(f"tamis, {options.recipe} with {extractor}", ours, base), flush=True)
            if extractor == "trafilatura":
                bare = run(BARE, str(warc), core=options.core)
                print(row("bare trafilatura", bare, base))
                print(f"everything but trafilatura adds {100 * (ours['cpu'] / bare['cpu'] - 1):.1f} % to its CPU time")


if __name__ == "__main__":
    main()
