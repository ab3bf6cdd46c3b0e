"""Read the token shards of a finished run: memory-mapped, by index, and one share of them per rank.

python examples/04_read_tokens.py [OUTPUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import tamis
from tamis import tokens
from tamis.demo import pack
from tamis.tokenize import load


def main(output: str = "demo-out") -> None:
    manifest = pack(Path(output) / "crawl")
    tamis.run(manifest, Path(output) / "corpus", executor="inline")
    folder = Path(output) / "corpus" / "tokens" / "eng_Latn"
    dataset = tokens.open(folder)
    first = dataset[0]
    print(len(dataset), "documents;", load("default").decode(first.input_ids[:20]))
    halves = [sum(1 for _ in tokens.open(folder, rank=rank, world=2)) for rank in range(2)]
    print("by rank:", halves)


if __name__ == "__main__":
    main(*sys.argv[1:])
