"""Filter commands: which rules run on a language, a chain tried on a file, stored texts judged anew, bounds derived."""

from __future__ import annotations

import math
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tamis.errors import ConfigError, InputError, OutputError

if TYPE_CHECKING:
    import pyarrow as pa

    from tamis.bounds import Bound
    from tamis.filters.chain import Chain

RecipeOption = Annotated[str, typer.Option("--recipe", "-r", help="name of a shipped recipe, or path of a .toml file")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="override one recipe key, as in --set dedup.threshold=0.7")
]
LangOption = Annotated[str, typer.Option("--lang", help="a language in any common code, such as tam, ta or Tamil")]
SAMPLE_CHARS = 100


def register(app: typer.Typer) -> None:
    """Add the filter commands to the command line; `train` may be there already."""
    for command in (signals, sift, resift):
        app.command()(command)
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    train = groups.get("train")
    if train is None:
        train = typer.Typer(help="Derive models and tables from text.", no_args_is_help=True)
        app.add_typer(train, name="train")
    train.command("thresholds")(train_thresholds)


def signals(lang: LangOption = "eng", recipe: RecipeOption = "default", override: SetOption = None) -> None:
    """Print which rules a recipe runs on a language, with which bounds, and where each number comes from."""
    from tamis.langid.codes import resolve

    language = resolve(lang)
    table = Table(title=f"{recipe}: rules for {language}", title_justify="left")
    for name in ("Chain", "Keep if", "at least", "at most", "where from"):
        table.add_column(name)
    for chain in _chains(recipe, override):
        for rule in chain.rules():
            bounds = _shown(rule.at_least, language), _shown(rule.at_most, language)
            table.add_row(rule.rule, rule.reason, *bounds, escape(_origin(rule.origin, rule, language)))
    console().print(table)


def sift(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Parquet, JSONL (.gz, .zst) or text, one document a line")
    ],
    recipe: RecipeOption = "default",
    lang: Annotated[str | None, typer.Option("--lang", help="the language of every document without one")] = None,
    rows: Annotated[int, typer.Option(min=1, help="documents of each kind to show")] = 10,
    text_field: Annotated[str, typer.Option(help="the column or key that holds the text")] = "text",
    override: SetOption = None,
) -> None:
    """Try a recipe's filters on a file: kept and dropped, with reason, value and bound."""
    from tamis import filters
    from tamis.langid.codes import resolve

    chains = _chains(recipe, override)
    counts: dict[tuple[str, str], int] = {}
    shown: dict[bool, list[tuple[str, ...]]] = {True: [], False: []}
    for batch in _batches(file, text_field, resolve(lang) if lang else None):
        parts = filters.sift(chains, batch)
        for chain, part in zip(chains, parts, strict=True):
            _note_dropped(chain.name, part.dropped, counts, shown[False], rows)
        kept = parts[-1].kept if parts else batch
        counts["", ""] = counts.get(("", ""), 0) + kept.num_rows
        shown[True] += [("", "kept", "", "", _sample(text)) for text in kept["text"].slice(0, rows).to_pylist()]
    _show_sifted(counts, [*shown[True][:rows], *shown[False][:rows]])


def resift(
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="the output folder of a finished run")],
    manifest: Annotated[
        str | None, typer.Argument(metavar="[MANIFEST]", help="what that run was given, if it has moved since")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", "-r", help="name of a shipped recipe, or path of a .toml file; [the run's]"),
    ] = None,
    override: SetOption = None,
) -> None:
    """Judge the stored texts of a run anew with other bounds; refuses where WARCs would have to be read again."""
    from tamis import runs
    from tamis.budget.summary import summarise
    from tamis.budget.terminal import totals
    from tamis.pipeline import origin
    from tamis.pipeline.storage import Storage

    values, storage = overrides(override), Storage(output)
    lock = storage.read_json("recipe.lock.json")
    if lock is None:
        raise OutputError(f"{output} holds no run.", "Name the output folder of `tamis run`.")
    manifest, recipe = manifest or origin.recall(storage), recipe or lock["recipe"]
    for step in runs.plan(manifest, output, recipe=recipe, overrides=values):
        if step.step == "extract" and step.missing:
            raise InputError(
                f"{step.missing} of {step.units} units of {output} have no stored texts for this recipe.",
                "Use `tamis run`, which extracts them; `work/` must not have been removed with --clean.",
            )
    report = runs.run(manifest, output, recipe=recipe, overrides=values)
    console().print(totals(report.ledger, summarise(report.ledger)))
    console().print(f"Report: {escape(str(report.output))}/report/index.html")


def train_thresholds(
    source: Annotated[str, typer.Argument(metavar="IN", help="TSV of language, source and text; - for standard input")],
    output: Annotated[str, typer.Argument(metavar="OUT", help="the TOML file to write")],
    quantile: Annotated[float, typer.Option(min=0.0, max=0.5, help="of reference text outside each bound")] = 0.01,
    margin: Annotated[float, typer.Option(min=0.0, help="share of its value by which a bound is moved outwards")] = 0.1,
    most_dropped: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="refuse what drops more of held-out text")
    ] = 0.02,
) -> None:
    """Derive bounds for each language and signal from reference text; refused ones are listed with the reason."""
    from tamis.filters import thresholds
    from tamis.langid.codes import resolve

    lines = sys.stdin if source == "-" else Path(source).open(encoding="utf-8")  # noqa: SIM115
    with lines:
        parts = (line.rstrip("\n").split("\t") for line in lines)
        read = [(resolve(row[0]), row[1], row[2]) for row in parts if len(row) == 3]
    derived = thresholds.train(read, quantile=quantile, margin=margin, most_dropped=most_dropped)
    Path(output).write_text(thresholds.to_toml(derived), "utf-8")
    refused = [each for each in derived if each.refused]
    for each in refused:
        console().print(f"refused: {each.language} {each.signal} {each.side}: {each.refused}")
    languages = len({each.language for each in derived if not each.refused})
    console().print(f"{len(derived) - len(refused)} bounds for {languages} languages, {len(refused)} refused: {output}")


def overrides(assignments: list[str] | None) -> dict[str, Any]:
    """Return `key=value` assignments as a mapping; values are TOML, and plain text where they are not."""
    found = {}
    for assignment in assignments or []:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment} has no value.", "Write it as --set section.key=value.")
        try:
            found[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = text
    return found


def _chains(recipe: str, override: list[str] | None) -> list[Chain]:
    from tamis import recipe as recipes

    return list(recipes.load(recipe, overrides(override)).settings().filters)


def _shown(bound: Bound, language: str) -> str:
    from tamis.bounds import PerLanguage

    value = bound.of(language) if isinstance(bound, PerLanguage) else bound
    return "" if math.isnan(value) else f"{value:g}"


def _origin(origin: str, rule: Any, language: str) -> str:
    from tamis.bounds import PerLanguage

    own = any(isinstance(b, PerLanguage) and language in b.overrides for b in (rule.at_least, rule.at_most))
    return f"{origin}; fitted to {language}" if own else origin


def _batches(file: str, text_field: str, language: str | None) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    path = Path(file)
    if not path.is_file():
        raise InputError(f"{file} does not exist.", "Give a Parquet, JSONL or text file.")
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        source: Iterator[pa.RecordBatch] = pq.ParquetFile(path).iter_batches(512)
    else:
        source = _lines(path, text_field)
    for batch in source:
        if text_field not in batch.schema.names:
            raise ConfigError(f"{file} has no column {text_field!r}.", f"It has {', '.join(batch.schema.names)}.")
        columns = {name: batch.column(name) for name in batch.schema.names}
        columns["text"] = batch.column(text_field).cast(pa.large_string())
        if "language" not in columns:
            columns["language"] = pa.array([language] * batch.num_rows, pa.large_string())
        yield pa.record_batch(columns)


def _lines(path: Path, text_field: str) -> Iterator[pa.RecordBatch]:
    import gzip
    import io
    import json

    import pyarrow as pa
    import zstandard

    openers: dict[str, Any] = {".gz": gzip.open, ".zst": zstandard.open}
    is_json = ".jsonl" in path.suffixes
    opened: Any = openers.get(path.suffix, io.open)(path, "rt", encoding="utf-8", errors="replace")
    with opened as file:
        rows: list[dict[str, Any]] = []
        for line in file:
            row = json.loads(line) if is_json else {text_field: line.rstrip("\n")}
            rows.append({key: value for key, value in row.items() if isinstance(value, (str, int, float))})
            if len(rows) == 512:
                yield pa.RecordBatch.from_pylist(rows)
                rows = []
        if rows:
            yield pa.RecordBatch.from_pylist(rows)


def _note_dropped(
    chain: str, dropped: pa.RecordBatch, counts: dict[tuple[str, str], int], shown: list[tuple[str, ...]], most: int
) -> None:
    for row in dropped.select(["reason", "value", "threshold", "text"]).to_pylist():
        counts[chain, row["reason"]] = counts.get((chain, row["reason"]), 0) + 1
        if len(shown) < most:
            value, bound = (f"{row[key]:.4g}" if row[key] is not None else "" for key in ("value", "threshold"))
            shown.append((chain, row["reason"], value, bound, _sample(row["text"])))


def _show_sifted(counts: dict[tuple[str, str], int], shown: list[tuple[str, ...]]) -> None:
    total = sum(counts.values())
    table = Table(title="Documents", title_justify="left")
    for name in ("chain", "verdict", "value", "bound", "text"):
        table.add_column(name, overflow="ellipsis", no_wrap=name == "text")
    for row in shown:
        table.add_row(*(escape(each) for each in row))
    console().print(table)
    console().print(f"kept {counts.get(('', ''), 0)} of {total}")
    for (chain, reason), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if reason:
            console().print(f"dropped {count:6} by {chain}: {reason}")


def _sample(text: str | None) -> str:
    shown = (text or "")[:SAMPLE_CHARS].replace("\n", " ⏎ ")
    return "".join(character if character.isprintable() else "�" for character in shown)


def console() -> Console:
    """Return the console for people, on standard output."""
    # A file or pipe has no width of its own: tables are not folded to fit a terminal that is not there.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)
