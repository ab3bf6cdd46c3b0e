"""Model commands: `tamis models get | list | verify`, on models by name and on perplexity bundles in folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tamis import assets


def register(app: typer.Typer) -> None:
    """Add the group `models` to the command line."""
    models = typer.Typer(no_args_is_help=True, help="Fetch, list and verify models.")
    models.command("get")(get)
    models.command("list")(listed)
    models.command("verify")(verify)
    models.command("pack")(pack)
    app.add_typer(models, name="models")


def get(
    model: Annotated[str, typer.Argument(metavar="NAME|URL", help="a name that `models list` shows, or an address")],
    name: Annotated[str | None, typer.Option(help="what to call a file from an address")] = None,
    sha256: Annotated[str, typer.Option(help="the checksum a file from an address must have")] = "",
    offline: Annotated[bool, typer.Option("--offline", help="never touch the network: fail if it is not here")] = False,
) -> None:
    """Fetch a model into the cache, once, with its checksum; a download that was cut is gone on with."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn(model), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(model, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None)

        found = assets.get(model, name=name, sha256=sha256, no_network=offline, tell=tell)
    for asset in found:
        typer.echo(f"{asset.path}: {asset.bytes:,} bytes, SHA-256 {asset.sha256}, licence {asset.licence}")
        if asset.file.endswith(".lm.tar"):
            from tamis.perplexity.packed import unpack

            typer.echo(f"The perplexity bundle in it lies in {unpack(asset.path, asset.path.with_suffix(''))}.")


def pack(
    bundle: Annotated[str, typer.Argument(help="the folder of a perplexity bundle")],
    file: Annotated[str, typer.Argument(help="the file to be made, to be called something.lm.tar")],
) -> None:
    """Write a perplexity bundle as one file, which `models get` takes from an address."""
    from tamis.perplexity.bundle import checksum
    from tamis.perplexity.packed import pack as packed

    path = packed(bundle, file)
    typer.echo(f"{path}: {path.stat().st_size:,} bytes, SHA-256 {checksum(path)}")


def listed(
    folder: Annotated[str | None, typer.Argument(help="a folder of perplexity bundles, in place of the cache")] = None,
) -> None:
    """List the models that can be fetched and those that are here, or the bundles in a folder."""
    if folder is not None:
        _bundles(Path(folder))
        return
    table = Table("Name", "For", "Size", "Licence", "Checksum", "Here")
    for name in assets.names():
        for asset in assets.files_of(name):
            size = f"{asset.bytes:,}" if asset.bytes else "?"
            known = asset.sha256[:12] if asset.sha256 else "recorded when first fetched"
            table.add_row(name, asset.kind, size, asset.licence, known, "yes" if asset.path.is_file() else "")
    Console().print(table)
    typer.echo(f"Fetched models lie in {assets.home()}; set TAMIS_CACHE to move them.")


def _bundles(folder: Path) -> None:
    """Print each bundle: language, n-grams, tokens trained on, licence, path."""
    from tamis.perplexity.bundle import MANIFEST, read_manifest

    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        found = read_manifest(path.parent)
        tokens = found.get("corpus", {}).get("tokens", 0)
        grams = sum(found.get("ngrams", []))
        typer.echo(
            f"{found['language']:9} {grams:>12,} n-grams {tokens:>13,} tokens  {found.get('licence')}  {path.parent}"
        )


def verify(
    models: Annotated[list[str] | None, typer.Argument(help="names, or folders of bundles; all fetched ones")] = None,
) -> None:
    """Compare every byte of models with their checksums; one that is not what it was is an error."""
    for name in models or [name for name in assets.names() if (assets.folder(name) / assets.PINS).is_file()]:
        if assets.known(name):
            for asset in assets.verify(name):
                typer.echo(f"{asset.path}: {asset.sha256}")
        else:
            from tamis.perplexity.bundle import verify as verified

            typer.echo(f"{name}: {verified(Path(name))['language']}, every part is the one it was made with")
