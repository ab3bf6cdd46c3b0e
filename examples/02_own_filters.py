"""Compose a filter chain: a published family with bounds by language, a signal of your own, and a slow-lane function.

python examples/02_own_filters.py [OUTPUT]
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.compute as pc

from tamis import Chain, PerLanguage, keep, per_document, run, signal
from tamis.demo import pack
from tamis.filters import gopher_quality


@signal
def digit_share(text):
    """Share of characters that are ASCII digits, in [0, 1]."""
    return pc.divide(pc.cast(pc.count_substring_regex(text, "[0-9]"), "float64"), pc.utf8_length(text))


@per_document
def longest_line_chars(text):
    """Code points of the longest line."""
    return float(max(map(len, text.split("\n"))))


chain = Chain(
    gopher_quality(min_words=PerLanguage(50, {"cmn_Hans": 20})),
    keep(digit_share, at_most=0.2),
    keep(longest_line_chars, at_least=80),
    name="mine",
)


def main(output: str = "demo-out") -> None:
    manifest = pack(Path(output) / "crawl")
    report = run(manifest, Path(output) / "own-filters", filters=chain, executor="inline")
    for step, language, reason, amount in report.ledger.reasons():
        if step == "mine":
            print(f"{language:10} {reason:24} {amount.documents:4} documents {amount.tokens:8,} tokens")


if __name__ == "__main__":
    main(*sys.argv[1:])
