"""Documents wider than 32-bit offsets reach, at a memory limit: read, filtered, deduplicated and tokenized by a run.

    python benchmarks/sides/wide_documents.py [--documents 40] [--megabytes 64] [--memory 2GB] [--giant 3000]

The documents are written one by one into a gzip file; the last is one of `--giant` MB, to be dropped as `too_large`.
Prints the most that all processes held at once, mapped files not counted, and what became of each document.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tamis import tokens
from tamis.pipeline.guard import held

RECIPE = """name = "wide"
[[filters]]
chain = "gopher_quality"
max_words = 1e9
"""
WORDS = 20_000  # of a paragraph that is repeated


def paragraph(number: int) -> str:
    random = np.random.default_rng(number)
    chosen = random.choice(["the", "of", "and", "that", "have", "miller", "river", "water", "stone", "house"], WORDS)
    return " ".join(chosen) + ".\\n"


def write(path: Path, documents: int, megabytes: int, giant: int) -> None:
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        for number, size in enumerate([*[megabytes] * documents, *[giant] * bool(giant)]):
            text = paragraph(number)
            file.write(f'{{"id": "{number}", "text": "')
            for _ in range(size * 1_000_000 // len(text)):
                file.write(text)
            file.write('"}\n')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--giant", type=int, default=3000)
    options = parser.parse_args()
    with TemporaryDirectory() as home:
        source, recipe, out = Path(home, "in.jsonl.gz"), Path(home, "wide.toml"), Path(home, "out")
        recipe.write_text(RECIPE, "utf-8")
        write(source, options.documents, options.megabytes, options.giant)
        words = ["run", str(source), str(out), "--recipe", str(recipe), "--memory", options.memory]
        run = subprocess.Popen([sys.executable, "-m", "tamis", *words], stdout=subprocess.DEVNULL)
        most, start = 0, time.perf_counter()
        while run.poll() is None:
            most = max(most, held(run.pid))
            time.sleep(0.2)
        seconds = time.perf_counter() - start
        print(f"exit code {run.returncode}, {seconds:.0f} s, at most {most / 1e9:.2f} GB held")
        dropped = [row for path in out.glob("dropped/*.parquet") for row in pq.read_table(path).to_pylist()]
        print("dropped:", sorted((row["id"].rpartition(":")[2], row["reason"]) for row in dropped))
        found = tokens.open(out / "tokens")
        print(f"{len(found)} documents, {found.tokens} tokens; {pa.ipc.open_file(str(found.paths[0])).schema.types}")


if __name__ == "__main__":
    main()
