"""Build the tokenizer shipped as "default": `python -m tamis.tokenize.default CORPORA OUT`.

CORPORA is a folder of gzipped TSV files as `corpora.toml` lists them (Common Voice, Tatoeba, Bible, UDHR). Their
languages keep the corpus's own code. `plain.txt` adds what prose lacks: indentation, markup, code, addresses.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from tamis.tokenize.train import train

VOCAB_SIZE = 65_536  # the largest whose ids fit uint16
TEMPERATURE = 0.8
SAMPLE_BYTES = 32_000_000
_DATA = files("tamis.tokenize") / "data"


def read(folder: Path) -> dict[str, list[str]]:
    """Return the corpora's texts by language, in file order, each text once per language."""
    texts: dict[str, dict[str, None]] = {"zxx": {_plain(): None}}
    for corpus in _lists()["corpus"]:
        for language, text in _rows(folder / corpus["path"], corpus):
            texts.setdefault(language, {})[text] = None
    return {language: list(unique) for language, unique in texts.items()}


def build(folder: Path, out: Path) -> None:
    """Train the default tokenizer and write it with its card, sources named."""
    train(
        read(folder), VOCAB_SIZE, out, temperature=TEMPERATURE, sample_bytes=SAMPLE_BYTES, repeats=_lists()["repeats"]
    )
    card = out / "card.json"
    sources = [{key: corpus[key] for key in ("name", "source", "licence")} for corpus in _lists()["corpus"]]
    data = {"name": "default", "licence": "Apache-2.0", "sources": sources} | json.loads(card.read_text("utf-8"))
    card.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _lists() -> dict[str, Any]:
    return tomllib.loads((_DATA / "corpora.toml").read_text("utf-8"))


def _plain() -> str:
    return (_DATA / "plain.txt").read_text("utf-8")


def _rows(path: Path, corpus: dict[str, Any]) -> Iterator[tuple[str, str]]:
    aliases: dict[str, str] = corpus.get("aliases", {})
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            code = row[corpus["language"]]
            yield aliases.get(code, code), row["text"]


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
