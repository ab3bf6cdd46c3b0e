"""The command line: each command a few lines around the function of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tamis import budgets
from tamis.errors import IncompleteError, TamisError
from tamis.inspections import register as register_inspections
from tamis.models import register as register_models
from tamis.selecting import register as register_selecting
from tamis.sifting import console, overrides
from tamis.sifting import register as register_sifting
from tamis.stages import register
from tamis.tokenfolders import register as register_token_folders
from tamis.tokenizers import register as register_tokenizers
from tamis.trainings import register as register_trainings

if TYPE_CHECKING:
    from tamis.pipeline.run import Report

app = typer.Typer(
    help="Web crawls in, deduplicated and tokenized multilingual corpora out, every token accounted for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ManifestArgument = Annotated[
    str, typer.Argument(help="warc.paths(.gz), a WARC, WET, Parquet or JSONL file, folder, glob")
]
OutputArgument = Annotated[str, typer.Argument(help="output folder; running the same command again resumes")]
RecipeOption = Annotated[str, typer.Option("--recipe", "-r", help="name of a shipped recipe, or path of a .toml file")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="override one recipe key, as in --set dedup.threshold=0.7")
]
ExecutorOption = Annotated[str, typer.Option(help="inline, local or ray; all give the same bytes")]
WorkersOption = Annotated[int | None, typer.Option(min=1, help="worker processes; default: the CPUs available")]
MemoryOption = Annotated[
    str | None, typer.Option(help="what all processes together may hold, such as 4GB; default: 80 % of what there is")
]
LogOption = Annotated[bool, typer.Option("--log-json", help="progress as JSON, one object a line")]


@app.command()
def run(
    manifest: ManifestArgument,
    output: OutputArgument,
    recipe: RecipeOption = "default",
    executor: ExecutorOption = "local",
    workers: WorkersOption = None,
    address: Annotated[str | None, typer.Option(help="address of a running Ray cluster")] = None,
    memory: MemoryOption = None,
    log_json: LogOption = False,
    clean: Annotated[bool, typer.Option("--clean", help="remove work/ when done")] = False,
    override: SetOption = None,
) -> None:
    """Turn a manifest of WARCs into documents, token shards and a ledger."""
    from tamis import runs, values
    from tamis.progress import progress

    with progress(Console(stderr=True), as_json=log_json) as tell:
        report = runs.run(
            manifest,
            output,
            recipe=recipe,
            executor=executor,
            workers=workers,
            address=address,
            overrides=overrides(override),
            memory=values.size(memory) if memory else None,
            clean=clean,
            progress=tell,
        )
    conclude(report)


def conclude(report: Report) -> None:
    """Print a finished run's totals and where its report is. Raises IncompleteError where inputs were unreadable."""
    from tamis.budget.summary import summarise
    from tamis.budget.terminal import by_language, totals

    out = console()
    languages = summarise(report.ledger)
    out.print(by_language(languages[:40]))
    out.print(totals(report.ledger, languages))
    out.print(f"Report: {escape(report.output)}/report/index.html")
    if not report.complete:
        shown = "; ".join(f"{source.name}: {source.problem}" for source in report.problems[:5])
        raise IncompleteError(
            f"{len(report.problems)} of the inputs could not be read, or not to their end: {shown}.",
            "The others are done. Mend the inputs and run the same command again: only they are read.",
        )


@app.command()
def plan(
    manifest: ManifestArgument,
    output: OutputArgument,
    recipe: RecipeOption = "default",
    memory: MemoryOption = None,
    override: SetOption = None,
) -> None:
    """Say what `run` with the same arguments would do, without doing it."""
    from rich.table import Table

    from tamis import recipe as recipes
    from tamis import runs, values

    table = Table(title="Plan", title_justify="left")
    for name in ("Step", "units", "done already", "to do", "to do again"):
        table.add_column(name, justify="left" if name == "Step" else "right")
    steps, needs = runs.prospect(
        manifest, output, recipe=recipe, overrides=overrides(override), memory=values.size(memory) if memory else None
    )
    for step in steps:
        fresh = step.missing - step.stale
        table.add_row(step.step, *(str(n) for n in (step.units, step.units - step.missing, fresh, step.stale)))
    out = console()
    out.print(table)
    out.print("Token shards are cut when the documents are known.")
    _candidates(recipes.load(recipe, overrides(override)))
    if needs is not None:
        out.print(str(needs), soft_wrap=True)


def _candidates(recipe: Any) -> None:
    """Print how likely MinHash is to see a pair of each similarity."""
    dedup = recipe.settings().dedup
    if dedup is not None:
        from tamis.dedup.options import scurve

        points = ", ".join(f"{similarity:g}: {chance:.3f}" for similarity, chance in scurve(dedup))
        console().print(f"Near duplicates become candidates with probability, by Jaccard similarity: {points}")


@app.command()
def recipes() -> None:
    """List the recipes that ship with the package."""
    from tamis import recipe as shipped

    for name in shipped.names():
        console().print(f"{name:12} {escape(str(shipped.load(name).tables.get('description', '')))}")


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing, and the one line that adds it."""
    from tamis.doctor import show

    if not show(console()):
        raise typer.Exit(1)


@app.command("compile")
def compile_() -> None:
    """Compile every kernel of the default recipe now, once per machine, so that the first run need not."""
    from tamis.demo import compile_kernels

    compile_kernels()


@app.command()
def demo(
    output: Annotated[str, typer.Argument(help="output folder")] = "demo-out",
    executor: ExecutorOption = "local",
    workers: WorkersOption = None,
) -> None:
    """Pack the bundled mini web into WARC files and run the default recipe on it."""
    from tamis.demo import blocklist, pack
    from tamis.progress import progress
    from tamis.runs import run

    manifest = pack(Path(output) / "crawl")
    with progress(Console(stderr=True)) as tell:
        found = run(
            manifest,
            Path(output) / "corpus",
            executor=executor,
            workers=workers,
            overrides={"url.domains": str(blocklist())},
            progress=tell,
        )
    conclude(found)


register(app)
register_tokenizers(app)
register_token_folders(app)
budgets.register(app)
register_inspections(app)
register_selecting(app)
register_trainings(app)
register_models(app)
register_sifting(app)


def main() -> None:
    """Run the command line; a Tamis error is one message on standard error and its own exit code."""
    try:
        app()
    except TamisError as error:
        errors = Console(stderr=True, highlight=False)
        errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        raise SystemExit(error.exit_code) from None
