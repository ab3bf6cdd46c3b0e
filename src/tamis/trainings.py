"""Training commands: `tamis train extractor`, `langid`, `lm` and `scorer`."""

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
    """Add `langid` and `lm` to the group of training commands, which is made where there is none."""
    training = next((each.typer_instance for each in app.registered_groups if each.name == "train"), None)
    if training is None:
        training = typer.Typer(no_args_is_help=True, help="Train models and tokenizers.")
        training.callback()(_group)
        app.add_typer(training, name="train")
    training.command("extractor")(extractor)
    training.command("langid")(langid)
    training.command("lm")(lm)
    training.command("scorer")(scorer)


def _group() -> None:
    """Keep a group of one command a group."""


def extractor(
    folders: Annotated[list[str], typer.Argument(help="folders of pages: gold.jsonl.gz, or *.html beside *.json")],
    out: Annotated[str, typer.Option(help="the model to be made, .npz; its card is written beside it as .json")],
    folds: Annotated[int, typer.Option(min=0, help="cross-validate in so many, by host and near-duplicate")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="of LightGBM")] = 1,
    seed: Annotated[int, typer.Option(help="of every choice made at random")] = 1,
) -> None:
    """Train the native extractor on pages with gold text; use the model by options = { model = "OUT" }."""
    from tamis.extract.native.train import Recipe, train

    if not out.endswith(".npz"):
        raise ConfigError(f"{out} is no name for an extraction model.", "Let it end in .npz.")
    card = train([Path(folder) for folder in folders], Path(out), Recipe(threads=threads, seed=seed), folds=folds)
    console = Console(highlight=False)
    console.print(f"{out}: pages " + ", ".join(f"{count:,} {source}" for source, count in card["sources"].items()))
    for source, figures in card["cross_validated"].items():
        console.print(f"{source}: " + " ".join(f"{name} {value}" for name, value in figures.items()))


def langid(
    out: Annotated[str, typer.Option(help="the model to be made, .ftz; its card is written beside it as .json")],
    text: Annotated[list[str] | None, typer.Argument(help="files of code<TAB>text, .gz or not")] = None,
    data: Annotated[
        str | None, typer.Option(help="folder of the corpora that the recipe names, in place of TEXT")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="training recipe (TOML); that of the shipped model if absent")
    ] = None,
    minimum: Annotated[int | None, typer.Option(min=1, help="leave out languages with fewer lines")] = None,
    seed: Annotated[int | None, typer.Option(help="of every choice made at random")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="more than one: faster, no longer reproducible")] = None,
) -> None:
    """Train a language identifier from code<TAB>text files: a quantized fastText model and its card."""
    import tempfile
    from dataclasses import replace

    from tamis.langid.corpora import gather, read_recipe
    from tamis.langid.train import train

    if not out.endswith(".ftz"):
        raise ConfigError(f"{out} is no name for a quantized fastText model.", "Let it end in .ftz.")
    if (data is None) == (not text):
        raise ConfigError("Train from what?", "Give files of code<TAB>text, or --data with the corpora of a recipe.")
    found = read_recipe(Path(recipe) if recipe else None)
    known = found.training
    training = replace(
        known,
        minimum=known.minimum if minimum is None else minimum,
        seed=known.seed if seed is None else seed,
        fit=known.fit if threads is None else replace(known.fit, threads=threads),
    )
    with tempfile.TemporaryDirectory(prefix="tamis-langid-") as folder:
        files = [Path(path) for path in text or []] or gather(found, Path(data or ""), Path(folder))
        card = train(files, Path(out), training=training)
    Console(highlight=False).print(
        f"{out}: {len(card['languages'])} labels, {card['bytes']:,} bytes, "
        f"macro-F1 on held-out lines {card['macro_f1']:.3f}"
    )


def lm(
    lang: Annotated[str, typer.Option(help="language code, such as swh or swh_Latn")],
    text: Annotated[list[str], typer.Option(help="text, one document a line, or JSONL with `text`; .gz too")],
    out: Annotated[str, typer.Option(help="the bundle's folder, to be made")],
    order: Annotated[int, typer.Option(min=2, max=5, help="words in the longest n-gram")] = 5,
    prune: Annotated[str, typer.Option(help="leave out n-grams seen that often, by order")] = "0 0 1",
    pieces: Annotated[
        int | None, typer.Option(min=16, max=65_536, help="most SentencePiece pieces; as many as suit the text")
    ] = None,
    normaliser: Annotated[str, typer.Option(help="ccnet, or light, which keeps case and accents")] = "ccnet",
    hold_out: Annotated[float, typer.Option(help="share of documents kept for the reference distribution")] = 0.1,
    memory: Annotated[str, typer.Option(help="memory for counting, such as 4GB")] = "4GB",
    estimator: Annotated[str, typer.Option(help="auto (lmplz where it is on PATH), tamis, or lmplz")] = "auto",
    licence: Annotated[str, typer.Option(help="the licence of the text")] = "unknown",
    arpa: Annotated[bool, typer.Option(help="write ngrams.arpa.gz, for KenLM, as well")] = False,
) -> None:
    """Train a perplexity bundle: pieces, n-grams, normaliser and reference distribution in one folder."""
    from tamis.errors import unknown
    from tamis.langid.codes import resolve
    from tamis.perplexity.normalise import PRESETS
    from tamis.perplexity.training import Training, train
    from tamis.values import size

    if normaliser not in PRESETS:
        raise unknown("normaliser", normaliser, PRESETS)
    chosen = Training(
        order=order, prune=_thresholds(prune), pieces=pieces, hold_out=hold_out, normaliser=PRESETS[normaliser]
    )
    texts = (each for path in text for each in documents(Path(path)))
    made = train(
        texts,
        out,
        resolve(lang),
        training=chosen,
        licence=licence,
        memory=size(memory),
        estimator=estimator,
        with_arpa=arpa,
    )
    corpus = made["corpus"]
    grams = " ".join(f"{count:,}" for count in made["ngrams"])
    Console(highlight=False).print(
        f"{out}: {corpus['documents']:,} documents, {corpus['tokens']:,} tokens; n-grams {grams}"
    )


def _thresholds(text: str) -> tuple[int, ...]:
    if not all(part.isdigit() for part in text.split()):
        raise ConfigError(f"{text!r} is not a list of counts.", 'Write it as "0 0 1".')
    return tuple(int(part) for part in text.split())


def scorer(
    out: Annotated[str, typer.Option(help="the scorer's folder, to be made")],
    good: Annotated[list[str] | None, typer.Option(help="good documents: Parquet, JSONL or text; repeatable")] = None,
    bad: Annotated[list[str] | None, typer.Option(help="bad documents; repeatable")] = None,
    labelled: Annotated[list[str] | None, typer.Option(help="documents with a label each; repeatable")] = None,
    label_field: Annotated[str, typer.Option(help="what holds the label, a number")] = "label",
    encoder: Annotated[str | None, typer.Option(help="train a head on this encoder; without it, fastText")] = None,
    hidden: Annotated[int, typer.Option(min=0, help="units of the head's middle layer; 0: a linear head")] = 0,
    window: Annotated[int, typer.Option(min=0, help="tokens the encoder sees at a time; 0: up to 512")] = 0,
    device: Annotated[str, typer.Option(help="what runs the encoder: auto, cpu, cuda")] = "auto",
    epochs: Annotated[int, typer.Option(min=1, help="fastText: times each document is seen")] = 5,
    width: Annotated[int, typer.Option(min=2, help="fastText: of the vectors")] = 64,
    buckets: Annotated[int, typer.Option(min=1, help="fastText: rows for pairs of words")] = 1 << 20,
    characters: Annotated[str, typer.Option(help='fastText: n-grams inside words, such as "2 4"')] = "0 0",
    held_out: Annotated[float, typer.Option(min=0.05, max=0.5, help="share never trained on")] = 0.2,
    licence: Annotated[str, typer.Option(help="the licence of the documents")] = "unknown",
) -> None:
    """Train a quality scorer: a fastText classifier, or a head on an encoder; with its card and calibration."""
    from tamis.scoring import fasttext_train, head_train
    from tamis.scoring.device import choose
    from tamis.scoring.examples import gather, read
    from tamis.scoring.training import Training, train

    given = [(path, label) for paths, label in ((good, 1.0), (bad, 0.0), (labelled, None)) for path in paths or ()]
    rows = (row for path, label in given for row in read(Path(path), label, label_field))
    short, long = (*_thresholds(characters), 0, 0)[:2]
    chosen = Training(
        encoder=Path(encoder) if encoder else None,
        window=window,
        device="cpu" if encoder is None else choose(device),
        head=head_train.Fit(hidden=hidden),
        fasttext=fasttext_train.Fit(width=width, epochs=epochs, buckets=buckets, minn=short, maxn=long),
        licence=licence,
    )
    card = train(gather(rows, held_out), Path(out), chosen)
    figures = ", ".join(f"{name} {value}" for name, value in sorted(card["measures"].items()))
    Console(highlight=False).print(f"{out}: {card['kind']} scorer; held out: {figures}", soft_wrap=True)


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
