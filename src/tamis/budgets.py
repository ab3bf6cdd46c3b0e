"""Budget commands: report, mix and compare, on the output of finished runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from tamis.errors import ConfigError

if TYPE_CHECKING:
    from tamis.budget.compare import Change
    from tamis.budget.mixture import Mixture
    from tamis.pipeline.manifest import Receipt
    from tamis.pipeline.storage import Storage

FolderArgument = Annotated[str, typer.Argument(metavar="OUT", help="the folder of a finished run")]
CrawlOption = Annotated[int | None, typer.Option(min=2, help="files in the whole crawl: estimate its totals")]
YearOption = Annotated[int | None, typer.Option(min=2, help="files in a year's crawls: estimate those too")]


def register(app: typer.Typer) -> None:
    """Add the budget commands to the command line."""
    for command in (report, mix, compare, rehydrate):
        app.command()(command)


def report(
    output: FolderArgument,
    csv: Annotated[bool, typer.Option("--csv", help="print the ledger as CSV")] = False,
    json: Annotated[bool, typer.Option("--json", help="print the budget as JSON")] = False,
    html: Annotated[str | None, typer.Option(help="write the page to this file")] = None,
    crawl: CrawlOption = None,
    year: YearOption = None,
    rule: Annotated[str, typer.Option(help="scaling rule: chinchilla, chinchilla-fit, chinchilla-refit, kaplan")] = (
        "chinchilla"
    ),
    budget: Annotated[float | None, typer.Option(help="FLOP to spend: say what is data-bound at it")] = None,
    gpu: Annotated[str, typer.Option(help="A100, H100, H200 or B200")] = "A100",
    gpus: Annotated[int, typer.Option(min=1, help="how many of them train")] = 1024,
    utilisation: Annotated[float, typer.Option(help="share of their peak that training reaches")] = 0.35,
) -> None:
    """Print the ledger and the budget of a finished run; with --crawl, what the whole crawl would yield."""
    from tamis.budget import assemble, page, terminal
    from tamis.pipeline.outputs import report_view
    from tamis.pipeline.run import open_report
    from tamis.pipeline.storage import Storage

    found = open_report(output)
    if year is not None and crawl is None:
        raise ConfigError("--year needs --crawl.", "Give the number of files of one crawl too.")
    if csv or (json and crawl is None):
        # Through the storage, because a run may lie on an object store.
        sys.stdout.write(Storage(output).read("ledger.csv" if csv else "report/budget.json").decode())
        return
    storage, receipts = _open(output)
    view = report_view(
        storage,
        found.ledger,
        receipts,
        found.problems,
        crawl=crawl,
        year=year,
        rule=rule,
        gpu=gpu,
        utilisation=utilisation,
    )
    if html is not None:
        Path(html).write_text(page.render(view), "utf-8")
        return
    if json:
        sys.stdout.write(assemble.as_json(view))
        return
    out = _console()
    for alarm in view.alarms:
        out.print(Text(alarm, style="bold red"))
    terminal.show(found.ledger, out)
    for table in terminal.budget(view, budget=budget, gpus=gpus):
        out.print(table)


def mix(
    output: FolderArgument,
    tokens: Annotated[str, typer.Option(help="tokens to plan for, such as 1T, 300B or 5e11")],
    method: Annotated[str, typer.Option(help="proportional, temperature or unimax")] = "unimax",
    alpha: Annotated[float, typer.Option(help="exponent of temperature: 1 proportional, 0 uniform")] = 0.3,
    max_epochs: Annotated[float, typer.Option(help="cap of unimax on repeating a language")] = 4.0,
    floor: Annotated[list[str] | None, typer.Option(help="least share, as swh_Latn=2%; repeatable")] = None,
    ceiling: Annotated[list[str] | None, typer.Option(help="largest share, as eng_Latn=40%; repeatable")] = None,
    even: Annotated[str, typer.Option(help="make shares even in tokens, or in characters or bytes of text")] = "tokens",
    save: Annotated[str | None, typer.Option(help="write the mixture file that the sampler reads")] = None,
) -> None:
    """Propose each language's weight and epochs for a training run of so many tokens."""
    from tamis.budget.mixture import parse_shares, plan
    from tamis.budget.summary import summarise
    from tamis.pipeline.run import open_report

    languages = [row for row in summarise(open_report(output).ledger) if row.kept_tokens]
    units = {"tokens": None, "characters": "kept_chars", "bytes": "kept_bytes"}
    if even not in units:
        raise ConfigError(f"--even {even} is none of tokens, characters and bytes.", "Choose one of them.")
    unit = units[even]
    fertility = {row.language: row.kept_tokens / max(getattr(row, unit), 1) for row in languages} if unit else {}
    mixture = plan(
        {row.language: float(row.kept_tokens) for row in languages},
        count(tokens),
        method=method,
        alpha=alpha,
        max_epochs=max_epochs,
        floors=parse_shares(floor or []),
        ceilings=parse_shares(ceiling or []),
        fertility=fertility,
    )
    if save is not None:
        Path(save).write_text(mixture.to_json(), "utf-8")
    _print_mixture(mixture, count(tokens))


def _print_mixture(mixture: Mixture, wanted: float) -> None:
    out = _console()
    table = Table(title=f"Mixture ({mixture.method})", title_justify="left")
    for name in ("Language", "weight", "tokens", "unique", "epochs", "effective"):
        table.add_column(name, justify="left" if name == "Language" else "right")
    for share in sorted(mixture.shares, key=lambda share: (-share.weight, share.language)):
        numbers = (f"{100 * share.weight:.3f} %", f"{share.tokens:,.0f}", f"{share.unique:,.0f}")
        table.add_row(Text(share.language), *numbers, f"{share.epochs:.2f}", f"{share.effective:,.0f}")
    out.print(table)
    out.print(f"{mixture.tokens:,.0f} tokens, worth {mixture.effective:,.0f} fresh ones.")
    if mixture.tokens < wanted * (1 - 1e-9):
        out.print(f"{wanted:,.0f} were asked for: all text at the cap on epochs does not suffice.")
    for warning in mixture.warnings:
        out.print(f"warning: {escape(warning)}")


def count(text: str) -> float:
    """Return a number written as 1T, 300B, 5M, 10K or plainly. Raises ConfigError for anything else."""
    sizes = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    letter = text[-1:].upper()
    try:
        return float(text[:-1]) * sizes[letter] if letter in sizes else float(text)
    except ValueError:
        raise ConfigError(f"{text!r} is no number of tokens.", "Write 1T, 300B, 5M or 5e11.") from None


def rehydrate(
    output: FolderArgument,
    signal: Annotated[str, typer.Option(help="column of the documents whose number tells the better ones")],
    at_least: Annotated[float, typer.Option(help="from which number on a document counts as one of them")],
    save: Annotated[
        str | None, typer.Option(help="write the weights as JSON, by language and least cluster size")
    ] = None,
) -> None:
    """Propose how often to repeat a document by how many copies it had, for each language, as FineWeb2 does."""
    import json

    from tamis.pipeline.rehydrate import weights

    found = weights(output, signal, at_least)
    if save is not None:
        Path(save).write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    out = _console()
    for language, classes in found.items():
        repeated = ", ".join(f"{size}+ copies {weight} times" for size, weight in classes.items() if weight > 1)
        out.print(Text(f"{language}: {repeated or 'every document once'}"))


def compare(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="the folder of a finished run")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="another, on the same input")],
    limit: Annotated[int, typer.Option(min=1, help="rows of each table")] = 25,
    samples: Annotated[int, typer.Option(min=0, help="sample documents for each kind of move")] = 2,
) -> None:
    """Say what two recipes make of the same input: by language, by rule, and which documents moved."""
    from tamis.budget import compare as comparing
    from tamis.pipeline.run import open_report

    (first, first_receipts), (second, second_receipts) = _open(before), _open(after)
    if _input(first) != _input(second):
        raise ConfigError(f"{before} and {after} are of different inputs.", "Compare runs on the same manifest.")
    moved = comparing.movers((first_receipts, first.open), (second_receipts, second.open), each=samples)
    ledgers = (open_report(before).ledger, open_report(after).ledger)
    found = comparing.compare(*ledgers, moved if samples else ())
    out = _console()
    out.print(_changes("Kept, by language", "Language", found.languages[:limit]))
    out.print(_changes("Dropped, by step and reason", "Rule", found.rules[:limit]))
    for each in found.moved[: 4 * limit]:
        where = "kept now, was" if each.now == "kept" else "dropped now, by"
        out.print(Text(f"{each.id} {each.language} {each.tokens:,} tokens: {where} {each.step}: {each.reason}"))
        out.print(Text(f"    {' '.join(each.text.split())[:200]}"))


def _changes(title: str, first: str, changes: tuple[Change, ...]) -> Table:
    table = Table(title=title, title_justify="left", caption=None if changes else "nothing changed")
    table.add_column(first)
    for name in ("tokens before", "after", "change", "documents before", "after"):
        table.add_column(name, justify="right")
    for each in changes:
        numbers = (f"{each.before.tokens:,}", f"{each.after.tokens:,}", f"{each.tokens:+,}")
        table.add_row(Text(": ".join(each.key)), *numbers, f"{each.before.documents:,}", f"{each.after.documents:,}")
    return table


def _input(storage: Storage) -> str:
    return str((storage.read_json("recipe.lock.json") or {}).get("input", {}).get("digest", ""))


def _open(output: str) -> tuple[Storage, list[Receipt]]:
    """Return a finished run's storage and receipts. Raises OutputError where the folder has no sealed run."""
    from tamis.pipeline.manifest import NAME, parse
    from tamis.pipeline.run import open_report
    from tamis.pipeline.storage import Storage

    open_report(output)
    storage = Storage(output)
    return storage, [parse(line) for line in storage.read(NAME).decode().splitlines()]


def _console() -> Console:
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())
