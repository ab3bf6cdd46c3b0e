"""Stage commands: extract, langid, filter, dedup, score and tokenize on files that need not have come from a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from tamis.errors import ConfigError, IncompleteError

if TYPE_CHECKING:
    from tamis.filters.chain import Chain
    from tamis.pipeline.standalone import StageReport

SourceArgument = Annotated[
    list[str],
    typer.Argument(metavar="IN", help="Parquet, JSONL (.gz, .zst), text, WET or WARC: files, folders, globs, lists"),
]
PagesArgument = Annotated[
    list[str], typer.Argument(metavar="IN", help="WARC or WET: files, folders, globs, lists of paths")
]
FileArgument = Annotated[
    str,
    typer.Argument(metavar="OUT", help="a .parquet, .jsonl, .jsonl.gz or .jsonl.zst file; drops are listed beside it"),
]
FolderArgument = Annotated[str, typer.Argument(metavar="OUT", help="a folder, made when all is written")]
TextFieldOption = Annotated[str, typer.Option(help="the column or key that holds the text")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="replace OUT if it exists")]
ModelOption = Annotated[str, typer.Option(help="name or path of the language identification model")]
TokenizerOption = Annotated[str, typer.Option(help="name, or path of a tokenizer.json")]


def register(app: typer.Typer) -> None:
    """Add the stage commands to the command line."""
    for command in (extract, langid, filter, dedup, score, tokenize):
        app.command()(command)


def extract(
    source: PagesArgument,
    output: FileArgument,
    extractor: Annotated[str, typer.Option(help="resiliparse, trafilatura, plain, or module:Object")] = "resiliparse",
    fallback: Annotated[str | None, typer.Option(help="the extractor for pages on which the first fails")] = None,
    model: ModelOption = "default",
    overwrite: OverwriteOption = False,
) -> None:
    """Turn WARC files into texts with URL, date, title and language."""
    from tamis.pipeline import stage

    conclude(stage.extract(source, output, extractor=extractor, fallback=fallback, model=model, overwrite=overwrite))


def langid(
    source: SourceArgument,
    output: FileArgument,
    model: ModelOption = "default",
    min_score: Annotated[float, typer.Option(help="drop what is identified with less, in [0, 1]")] = 0.0,
    keep: Annotated[list[str] | None, typer.Option(help="keep this language only; repeatable")] = None,
    confusable: Annotated[
        str, typer.Option(help="languages hard to tell apart: separate, merge, ambiguous")
    ] = "separate",
    text_field: TextFieldOption = "text",
    overwrite: OverwriteOption = False,
) -> None:
    """Add each document's language, its score, and what else the identifier says."""
    from tamis.pipeline import stage

    report = stage.langid(
        source,
        output,
        model=model,
        min_score=min_score,
        keep=keep,
        confusable=confusable,
        text_field=text_field,
        overwrite=overwrite,
    )
    conclude(report)


def filter(
    source: SourceArgument,
    output: FileArgument,
    recipe: Annotated[str | None, typer.Option("--recipe", "-r", help="take the filters of this recipe")] = None,
    chain: Annotated[list[str] | None, typer.Option(help="a family such as gopher_quality; repeatable")] = None,
    tokenizer: TokenizerOption = "default",
    text_field: TextFieldOption = "text",
    overwrite: OverwriteOption = False,
) -> None:
    """Keep the documents that pass a recipe's filters, or the families named."""
    from tamis.pipeline import stage

    chains = filters(recipe, chain or [])
    conclude(
        stage.filter(source, output, chains=chains, tokenizer=tokenizer, text_field=text_field, overwrite=overwrite)
    )


def filters(recipe: str | None, families: list[str]) -> list[Chain]:
    """Return the chains of a recipe, or of families at their defaults. Raises ConfigError unless one is given."""
    from tamis.filters.tables import build
    from tamis.recipe import load

    if (recipe is None) == (not families):
        raise ConfigError("Filter by what?", "Give either --recipe NAME or --chain NAME, which may be repeated.")
    if recipe is not None:
        return list(load(recipe).settings().filters)
    return build([{"chain": name} for name in dict.fromkeys(families)])


def dedup(
    source: SourceArgument,
    output: FileArgument,
    threshold: Annotated[float, typer.Option(help="Jaccard similarity at which a document goes, in (0, 1]")] = 0.8,
    scope: Annotated[str, typer.Option(help="language: compare within a language; global: everything")] = "language",
    bands: Annotated[int, typer.Option(min=1, help="MinHash bands")] = 14,
    rows: Annotated[int, typer.Option(min=1, help="MinHash values in a band")] = 8,
    measure: Annotated[str, typer.Option(help="jaccard, or containment of what goes in what stays")] = "jaccard",
    survivor: Annotated[str, typer.Option(help="who stays: first, longest, newest, score or source")] = "first",
    score_column: Annotated[str, typer.Option(help="for --survivor score: a number per document, higher stays")] = "",
    source_order: Annotated[
        list[str] | None, typer.Option("--source", help="for --survivor source: a beginning of ids; best first")
    ] = None,
    urls: Annotated[
        bool, typer.Option("--urls", help="pages of one address are duplicates whatever their text")
    ] = False,
    against: Annotated[
        list[str] | None, typer.Option(help="drop what this output folder of a run with keep_sets has; repeatable")
    ] = None,
    device: Annotated[str, typer.Option(help="what makes signatures: cpu, cuda, or auto; to the same bit")] = "cpu",
    memory: Annotated[str, typer.Option(help="what is sorted and compared at once, such as 1GB")] = "1GB",
    text_field: TextFieldOption = "text",
    overwrite: OverwriteOption = False,
) -> None:
    """Drop exact and near duplicates, one of each cluster kept."""
    from typing import cast

    from tamis.pipeline import stage
    from tamis.values import size

    report = stage.dedup(
        source,
        output,
        threshold=threshold,
        scope=cast(Literal["language", "global"], scope),
        bands=bands,
        rows=rows,
        measure=cast(Literal["jaccard", "containment"], measure),
        survivor=cast(Literal["first", "longest", "newest", "score", "source"], survivor),
        score_column=score_column,
        sources=source_order or (),
        urls=urls,
        against=against or (),
        device=cast(Literal["cpu", "cuda", "auto"], device),
        memory=size(memory),
        text_field=text_field,
        overwrite=overwrite,
    )
    conclude(report)


def tokenize(
    source: SourceArgument,
    output: FolderArgument,
    tokenizer: TokenizerOption = "default",
    shard_tokens: Annotated[int, typer.Option(min=1, help="tokens in a shard")] = 100_000_000,
    separator: Annotated[str, typer.Option(help="what marks a document's ends: eos, bos, both or none")] = "eos",
    text_field: TextFieldOption = "text",
    overwrite: OverwriteOption = False,
) -> None:
    """Write token shards, a folder for each language."""
    from tamis.pipeline import stage

    report = stage.tokenize(
        source,
        output,
        tokenizer=tokenizer,
        shard_tokens=shard_tokens,
        separator=separator,
        text_field=text_field,
        overwrite=overwrite,
    )
    conclude(report)


def score(
    source: SourceArgument,
    output: FileArgument,
    model: Annotated[str, typer.Option("--model", "-m", help="a local model folder, or a fastText file")],
    kind: Annotated[str, typer.Option(help="classifier, embedding, causal or fasttext; auto looks")] = "auto",
    name: Annotated[str, typer.Option(help="the score's column")] = "score",
    label: Annotated[str, typer.Option(help="whose probability is the score, of several labels")] = "",
    window: Annotated[int, typer.Option(min=0, help="tokens the model sees at a time; 0: up to 512")] = 0,
    stride: Annotated[int, typer.Option(min=0, help="tokens from window to window; 0: no overlap")] = 0,
    max_windows: Annotated[int, typer.Option(min=0, help="windows a document, evenly spread; 0: all")] = 0,
    aggregate: Annotated[str, typer.Option(help="mean, max or length-weighted")] = "length-weighted",
    keep_percent: Annotated[float | None, typer.Option(help="keep that share of each language, the best")] = None,
    cutoff: Annotated[float | None, typer.Option(help="keep what scores no worse")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    batch_tokens: Annotated[int, typer.Option(min=1, help="tokens in a batch at most")] = 65_536,
    pickles: Annotated[bool, typer.Option("--pickles", help="read weights from pickles, which run programs")] = False,
    text_field: TextFieldOption = "text",
    overwrite: OverwriteOption = False,
) -> None:
    """Add a model's score to each document, and keep the best share of each language if asked to."""
    from tamis.pipeline import scored
    from tamis.scoring.options import ScoringOptions

    options = ScoringOptions(
        model=model,
        kind=kind,
        name=name,
        label=label,
        window=window,
        stride=stride,
        max_windows=max_windows,
        aggregate=aggregate,
        keep_percent=keep_percent,
        cutoff=cutoff,
        device=device,
        batch_tokens=batch_tokens,
        pickles=pickles,
    )
    conclude(scored.score(source, output, options=options, text_field=text_field, overwrite=overwrite))


def conclude(report: StageReport) -> None:
    """Print a stage's ledger and where its files are. Raises IncompleteError where inputs were unreadable."""
    from tamis.budget.terminal import drops, funnel

    out = Console(highlight=False)
    out.print(funnel(report.ledger))
    if any(True for _ in report.ledger.reasons()):
        out.print(drops(report.ledger))
    out.print(f"{report.kept:,} documents: {escape(report.output)}", soft_wrap=True)
    out.print(f"Drops: {escape(report.dropped)}", soft_wrap=True)
    if report.problems:
        shown = "; ".join(f"{source.name}: {source.problem}" for source in report.problems[:5])
        raise IncompleteError(
            f"{len(report.problems)} of the inputs could not be read: {shown}.",
            "The output holds the others. Mend the inputs and run it again with --overwrite.",
        )
