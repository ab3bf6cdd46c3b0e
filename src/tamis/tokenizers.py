"""Tokenizer commands: `tokenizers compare` and `train tokenizer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tamis.errors import ConfigError

TextsArgument = Annotated[
    Path, typer.Argument(metavar="TEXTS", help="texts with their languages: .parquet, .jsonl(.gz) or .tsv(.gz)")
]
LanguageOption = Annotated[str, typer.Option("--language-field", help="the column that holds the language")]
TextOption = Annotated[str, typer.Option("--text-field", help="the column that holds the text")]


def register(app: typer.Typer) -> None:
    """Add the tokenizer commands to the command line, `train` to the group of that name where there is one."""
    group = typer.Typer(no_args_is_help=True, help="Compare tokenizers.")
    group.command()(compare)
    group.callback()(_group)
    app.add_typer(group, name="tokenizers")
    training = next((each.typer_instance for each in app.registered_groups if each.name == "train"), None)
    if training is None:
        training = typer.Typer(no_args_is_help=True, help="Train models and tokenizers.")
        training.callback()(_group)
        app.add_typer(training, name="train")
    training.command("tokenizer")(train)


def _group() -> None:
    """Keep a group of one command a group."""


def compare(
    texts: TextsArgument,
    tokenizers: Annotated[
        list[str], typer.Argument(help="tokenizer.json, .model or .tiktoken files, or names; one or more")
    ],
    language_field: LanguageOption = "language",
    text_field: TextOption = "text",
    rows: Annotated[int, typer.Option(min=0, help="texts of each language; 0 is all")] = 1000,
) -> None:
    """Print what each language costs under each tokenizer, also relative to English."""
    from tamis.tokenize.compare import costs, read_texts
    from tamis.tokenize.encode import load

    languages = read_texts(texts, language=language_field, text=text_field, limit=rows)
    table = Table(title="tokens per word · bytes per token · words that are one token · premium over English")
    table.title_justify = "left"
    table.add_column("language")
    found = []
    for name in tokenizers:
        table.add_column(escape(_short(name)), justify="right")
        found.append(costs(load(name), languages))
    for code in sorted(languages):
        if languages[code]:
            table.add_row(escape(code), *(_cell(each[code]) for each in found))
    Console(highlight=False, soft_wrap=True).print(table)


def _cell(cost: object) -> str:
    from tamis.tokenize.compare import Cost

    assert isinstance(cost, Cost)
    premium = "" if cost.premium is None else f"  {cost.premium:5.2f}x"
    return f"{cost.tokens_per_word:6.2f}  {cost.bytes_per_token:5.2f}  {cost.single_token_words:4.0%}{premium}"


def _short(name: str) -> str:
    path = Path(name)
    return path.parent.name if path.name == "tokenizer.json" else path.name


def train(
    texts: TextsArgument,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="folder for tokenizer.json and card.json")],
    vocab: Annotated[int, typer.Option(min=1, help="size of the vocabulary, special tokens included")] = 64_000,
    model: Annotated[str, typer.Option(help="bpe or unigram, both over bytes")] = "bpe",
    temperature: Annotated[
        float, typer.Option(min=0, max=1, help="1 samples languages as they come, 0 all alike")
    ] = 0.3,
    weight: Annotated[
        list[str] | None,
        typer.Option(help="a language's share instead, as in --weight eng_Latn=2; languages not named are left out"),
    ] = None,
    sample: Annotated[str, typer.Option(help="how much text to train on, such as 1GB")] = "1GB",
    seed: Annotated[int, typer.Option(help="which texts are drawn")] = 0,
    language_field: LanguageOption = "language",
    text_field: TextOption = "text",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace OUT's tokenizer if there is one")] = False,
) -> None:
    """Train a byte-level tokenizer on texts balanced between languages, and print what each language costs."""
    from tamis.tokenize.compare import read_texts
    from tamis.tokenize.train import train as learn
    from tamis.values import size

    if (output / "tokenizer.json").exists() and not overwrite:
        raise ConfigError(f"{output} holds a tokenizer already.", "Name a new folder, or add --overwrite.")
    languages = read_texts(texts, language=language_field, text=text_field)
    card = learn(
        languages,
        vocab,
        output,
        model=model,
        temperature=temperature,
        weights=weights(weight) if weight else None,
        sample_bytes=size(sample),
        seed=seed,
    )
    table = Table(title=f"{output}: {card.vocab_size:,} tokens, {card.model}", title_justify="left")
    for name in ("language", "tokens per word", "tokens per byte", "words that are one token"):
        table.add_column(name, justify="left" if name == "language" else "right")
    for code, each in card.languages.items():
        numbers = f"{each.tokens_per_word:.2f}", f"{each.tokens_per_byte:.3f}", f"{each.single_token_words:.0%}"
        table.add_row(escape(code), *numbers)
    Console(highlight=False, soft_wrap=True).print(table)


def weights(given: list[str]) -> dict[str, float]:
    """Return shares by language from `code=number`. Raises ConfigError for anything else."""
    found = {}
    for each in given:
        code, _, number = each.partition("=")
        try:
            found[code] = float(number)
        except ValueError as error:
            raise ConfigError(f"--weight {each!r} is no language and number.", "As in --weight eng_Latn=2.") from error
    return found
