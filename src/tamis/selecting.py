"""The select command: from a crawl's column index to the table of those of its records that a run is to read."""

from __future__ import annotations

from typing import Annotated

import typer

Languages = Annotated[
    list[str] | None, typer.Option("--language", help="ISO 639-3 code in the index, such as fra, zho")
]
Mimes = Annotated[list[str] | None, typer.Option("--mime", help="detected type, such as text/html")]
Domains = Annotated[list[str] | None, typer.Option("--domain", help="a domain and all below it")]
Statuses = Annotated[list[int] | None, typer.Option("--status", help="HTTP status")]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(select)


def select(
    index: Annotated[
        str, typer.Argument(help="a Parquet file of a column index (Common Crawl's cc-index), a folder or a glob")
    ],
    output: Annotated[str, typer.Argument(help="the selection to write: a Parquet file, the input of `tamis run`")],
    language: Languages = None,
    mime: Mimes = None,
    domain: Domains = None,
    status: Statuses = None,
) -> None:
    """Select records of a crawl by its column index; `run` then reads only their byte ranges.

    An option that is given several times means any of its values; different options must all hold.
    """
    from tamis.pipeline.selected import write
    from tamis.warc.index import Query

    query = Query(tuple(language or ()), tuple(mime or ()), tuple(domain or ()), tuple(status or ()))
    rows, size, files = write(index, output, query)
    typer.echo(f"{rows} records of {files} files, {size / 1e6:.1f} MB: tamis run {output} OUTPUT")
