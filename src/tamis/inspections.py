"""Inspection commands: status, why, replay and fsck ask an output folder, without Ray, while a run goes on or after."""

from __future__ import annotations

import json as jsonlib
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from tamis.errors import InputError, OutputError

if TYPE_CHECKING:
    from tamis.pipeline.inspect import Fate, Status

FolderArgument = Annotated[str, typer.Argument(metavar="OUTPUT", help="the output folder of a run")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
# The bytes that end or begin a terminal's commands; what a page says never reaches a terminal with them.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 0x202A, 0x202B, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068), "�")


def register(app: typer.Typer) -> None:
    """Add the inspection commands to the command line."""
    for command in (status, why, replay, fsck):
        app.command()(command)


def safe(value: Any) -> str:
    """Return a value as text that a terminal shows and never obeys."""
    return escape(str(value).replace("\n", " ⏎ ").translate(_CONTROLS))


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True, emoji=False)


def status(output: FolderArgument, json: JsonOption = False) -> None:
    """Say how far the run in a folder is, from its files alone."""
    from dataclasses import asdict

    from tamis.pipeline.inspect import status as look

    found = look(output)
    if json:
        typer.echo(jsonlib.dumps(asdict(found), ensure_ascii=False))
    else:
        _show_status(found)


def _show_status(found: Status) -> None:
    out, live = _console(), found.live
    out.print(f"{found.state}" + (f" on {safe(live['host'])}, process {live['pid']}" if live else ""))
    steps = live.get("steps", {})
    for step, units in found.units.items():
        at = steps.get(step)
        if at:
            left = at["left_seconds"]
            eta = f", {left[0]:.0f} to {left[2]:.0f} s left" if left else ""
            out.print(f"  {step}: {at['done']} of {at['total']} units{eta}")
        elif units:
            out.print(f"  {step}: {units} units done")
    if live:
        rate = live["documents_read"] / live["seconds"] if live["seconds"] else 0.0
        speed = live["bytes_per_second"] / 1e6
        out.print(f"  {live['documents_read']} records read, {rate:.1f} a second, {speed:.2f} MB/s")
    for code, tokens in list(found.tokens.items())[:20]:
        out.print(f"  {code}: {tokens} tokens so far")
    for alarm in found.alarms:
        out.print(f"[bold red]{safe(alarm)}[/]")


def why(
    output: FolderArgument,
    document: Annotated[str, typer.Argument(metavar="URL|ID", help="a document's URL or id")],
    json: JsonOption = False,
) -> None:
    """Tell a document's way through a run: kept, or dropped where, why and by what value."""
    from dataclasses import asdict

    from tamis.pipeline.inspect import why as ask

    fates = ask(output, document)
    if not fates:
        raise InputError(
            f"{document} is not among the documents and drops of {output}.",
            "Requests and warcinfo records are counted, not listed; documents are listed when the run is done.",
        )
    if json:
        typer.echo(jsonlib.dumps([asdict(fate) for fate in fates], ensure_ascii=False, default=str))
        return
    for fate in fates:
        _show_fate(fate)


def _show_fate(fate: Fate) -> None:
    out, row = _console(), fate.row
    out.print(f"{safe(row['id'])} {safe(row.get('url') or '')}")
    if fate.kept:
        out.print(f"  kept, in {safe(fate.file)}: {safe(row['language'])}, {row['tokens']} tokens")
    else:
        out.print(
            f"  dropped at {safe(row['step'])}: {safe(row['reason'])} ({safe(row['language'])}, {row['tokens']} tokens)"
        )
        if row.get("value") is not None:
            bound = "" if row.get("threshold") is None else f", the bound is {row['threshold']:g}"
            out.print(f"  measured {row['value']:g}{bound}")
    for name, value in row.items():
        if (
            name in ("title", "detail", "sample", "language_score", "cluster_size", "similarity", "date")
            and value is not None
        ):
            out.print(f"  {name}: {safe(value)[:400]}")
    if fate.partner:
        out.print(f"  kept instead: {safe(fate.partner['id'])} {safe(fate.partner.get('url') or '')}")
    out.print(f"  to see it again: tamis replay {safe(row['id'])}")


def replay(
    record: Annotated[str, typer.Argument(metavar="ID", help="FILE:OFFSET, as in the id of a document")],
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", help="name of a recipe, or path of a .toml file")
    ] = "default",
    source: Annotated[str | None, typer.Option("--input", help="where the file lies, if not where the id says")] = None,
    here: Annotated[
        bool, typer.Option("--here", help="run the extractor in this process, for a debugger; a crash is a crash")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run one record through every stage again and print what each saw."""
    from dataclasses import asdict

    from tamis import recipe as recipes
    from tamis.pipeline.replay import replay as again

    for trace in again(record, recipes.load(recipe).settings(), source=source, sandbox=not here):
        if json:
            typer.echo(jsonlib.dumps(asdict(trace), ensure_ascii=False, default=str))
            continue
        out = _console()
        out.print(f"[bold]{safe(trace.stage)}[/]")
        for name, value in trace.found.items():
            out.print(f"  {safe(name)}: {safe(value)}")


def fsck(
    output: FolderArgument,
    repair: Annotated[
        bool, typer.Option("--repair", help="withdraw the receipts of damaged files: the next run does them again")
    ] = False,
) -> None:
    """Compare every file of a run with its checksum, and list files that nobody named."""
    from tamis.pipeline.inspect import fsck as compare

    found, out = compare(output, repair=repair), _console()
    for path, fault in found.damaged.items():
        out.print(f"damaged: {safe(path)}: {fault}")
    for path in found.orphans:
        out.print(f"nobody's: {safe(path)}")
    out.print(f"{found.files} files, {found.bytes} bytes compared.")
    if not found.clean:
        raise OutputError(
            f"{len(found.damaged)} files are damaged and {len(found.orphans)} are nobody's.",
            "Run `tamis fsck --repair`, then the same `tamis run` again: damaged units are done anew, the rest swept.",
        )
