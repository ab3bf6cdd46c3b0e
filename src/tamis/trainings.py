"""Training commands: `tamis train lm`, and `tamis models` on the bundles it makes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tamis.errors import ConfigError, InputError


def register(app: typer.Typer) -> None:
    """Add `lm` to the group of training commands, which is made where there is none, and the group `models`."""
    training = next((each.typer_instance for each in app.registered_groups if each.name == "train"), None)
    if training is None:
        training = typer.Typer(no_args_is_help=True, help="Train models and tokenizers.")
        training.callback()(_group)
        app.add_typer(training, name="train")
    training.command("lm")(lm)
    models = typer.Typer(no_args_is_help=True, help="List and verify perplexity bundles.")
    models.command("list")(listed)
    models.command("verify")(verify)
    app.add_typer(models, name="models")


def _group() -> None:
    """Keep a group of one command a group."""


def lm(
    lang: Annotated[str, typer.Option(help="language code, such as swh or swh_Latn")],
    text: Annotated[list[str], typer.Option(help="text, one document a line, or JSONL with `text`; .gz too")],
    out: Annotated[str, typer.Option(help="the bundle's folder, to be made")],
    order: Annotated[int, typer.Option(min=2, max=5, help="words in the longest n-gram")] = 5,
    prune: Annotated[str, typer.Option(help="leave out n-grams seen that often, by order")] = "0 0 1",
    pieces: Annotated[int, typer.Option(min=16, max=65_536, help="most pieces of the SentencePiece model")] = 65_536,
    normaliser: Annotated[str, typer.Option(help="ccnet, or light, which keeps case and accents")] = "ccnet",
    memory: Annotated[str, typer.Option(help="memory for counting, such as 4GB")] = "4GB",
    licence: Annotated[str, typer.Option(help="the licence of the text")] = "unknown",
    arpa: Annotated[bool, typer.Option(help="write ngrams.arpa.gz, for KenLM, as well")] = False,
) -> None:
    """Train a perplexity bundle: pieces, n-grams, normaliser and reference distribution in one folder."""
    from tamis.errors import unknown
    from tamis.langid.codes import resolve
    from tamis.perplexity.normalise import PRESETS
    from tamis.perplexity.training import Training, train
    from tamis.recipe import size

    if normaliser not in PRESETS:
        raise unknown("normaliser", normaliser, PRESETS)
    chosen = Training(order=order, prune=_thresholds(prune), pieces=pieces, normaliser=PRESETS[normaliser])
    texts = (each for path in text for each in documents(Path(path)))
    made = train(texts, out, resolve(lang), training=chosen, licence=licence, memory=size(memory), with_arpa=arpa)
    corpus = made["corpus"]
    grams = " ".join(f"{count:,}" for count in made["ngrams"])
    Console(highlight=False).print(
        f"{out}: {corpus['documents']:,} documents, {corpus['tokens']:,} tokens; n-grams {grams}"
    )


def _thresholds(text: str) -> tuple[int, ...]:
    if not all(part.isdigit() for part in text.split()):
        raise ConfigError(f"--prune {text!r} is not a list of counts.", 'Write it as --prune "0 0 1".')
    return tuple(int(part) for part in text.split())


def documents(path: Path) -> Iterator[str]:
    """Yield the documents of a file: lines of text, or the `text` of JSON lines. Raises InputError."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            if ".jsonl" in path.suffixes:
                yield from (str(json.loads(line)["text"]) for line in file)
            else:
                yield from (line.rstrip("\n") for line in file)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Give UTF-8 text or JSONL, .gz or not.") from error


def listed(folder: Annotated[str, typer.Argument(help="a folder of bundles")] = ".") -> None:
    """List the bundles in a folder: language, n-grams, tokens trained on, licence, path."""
    from tamis.perplexity.bundle import MANIFEST, read_manifest

    for path in sorted(Path(folder).glob(f"*/{MANIFEST}")):
        found = read_manifest(path.parent)
        tokens = found.get("corpus", {}).get("tokens", 0)
        grams = sum(found.get("ngrams", []))
        typer.echo(
            f"{found['language']:9} {grams:>12,} n-grams {tokens:>13,} tokens  {found.get('licence')}  {path.parent}"
        )


def verify(bundles: Annotated[list[str], typer.Argument(help="folders of bundles")]) -> None:
    """Compare every part of bundles with its checksum; a part that is not the bundle's is an error."""
    from tamis.perplexity.bundle import verify as verified

    for folder in bundles:
        typer.echo(f"{folder}: {verified(Path(folder))['language']}, every part is the one it was made with")
