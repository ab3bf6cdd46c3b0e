"""Run the default recipe over the mini web and look at what became of each language.

python examples/01_run.py [OUTPUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import tamis
from tamis.budget.summary import summarise
from tamis.demo import pack


def main(output: str = "demo-out") -> None:
    manifest = pack(Path(output) / "crawl")
    report = tamis.run(manifest, Path(output) / "corpus", executor="inline")
    for row in summarise(report.ledger):
        kept = f"{row.kept_tokens:8,} kept; {row.costliest_reason}"
        print(f"{row.language:10} {row.found_tokens:8,} tokens found, {kept}")


if __name__ == "__main__":
    main(*sys.argv[1:])
