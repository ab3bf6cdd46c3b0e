"""Token folder commands: `pack`, `shuffle` and `export`, on what `tokenize` or a run wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tamis.errors import InputError, OutputError, unknown

SourceArgument = Annotated[
    Path, typer.Argument(metavar="TOKENS", help="a folder of token shards, or the folder above several")
]
OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="a new folder; as many inside as there are in TOKENS")]
ShardTokensOption = Annotated[int, typer.Option(min=1, help="tokens in a shard")]
FORMATS = ("megatron", "datatrove", "mds", "parquet")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (pack, shuffle, export):
        app.command()(command)


def folders(source: Path, out: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each dataset folder with where what is made of it goes. Raises InputError where there is none."""
    if (source / "state.json").is_file():
        yield source, out
        return
    found = sorted(path.parent for path in source.rglob("state.json"))
    if not found:
        raise InputError(f"{source} holds no token dataset.", "Give the folder with state.json, or one above it.")
    for folder in found:
        yield folder, out / folder.relative_to(source)


def pack(
    source: SourceArgument,
    out: OutArgument,
    length: Annotated[int, typer.Option(min=1, help="ids in a sample")] = 2048,
    how: Annotated[str, typer.Option(help="best_fit, chunk (concatenate and cut) or none (a document a sample)")] = (
        "best_fit"
    ),
    pad_id: Annotated[int | None, typer.Option(help="what fills samples; default: the separator after documents")] = (
        None
    ),
    window: Annotated[int, typer.Option(min=1, help="documents that best_fit fits together")] = 8192,
    shard_tokens: ShardTokensOption = 100_000_000,
    position_ids: Annotated[bool, typer.Option("--position-ids", help="write these too, beside cu_seqlens")] = False,
) -> None:
    """Pack documents into samples of one length, and print what padding and truncation cost."""
    from tamis.tokenize.packed import pack as packed

    for folder, target in folders(source, out):
        loss = packed(
            folder,
            target,
            length,
            how=how,
            pad_id=pad_id,
            window=window,
            shard_tokens=shard_tokens,
            position_ids=position_ids,
        )
        _say(f"{target}: {loss}")


def shuffle(
    source: SourceArgument,
    out: OutArgument,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 0,
    memory: Annotated[str, typer.Option(help="what is held, such as 1GB; it does not change the order")] = "1GB",
    shard_tokens: ShardTokensOption = 100_000_000,
) -> None:
    """Shuffle each folder's documents or samples globally, in two passes."""
    from tamis.tokenize.shuffle import shuffle as shuffled
    from tamis.values import size

    for folder, target in folders(source, out):
        state = shuffled(folder, target, seed=seed, memory=size(memory), shard_tokens=shard_tokens)
        rows = sum(int(file["documents"]) for file in state["_data_files"])
        _say(f"{target}: {rows:,} rows in {len(state['_data_files'])} shards, seed {seed}")


def export(
    source: SourceArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="a new folder, for a file or folder of each dataset")],
    to: Annotated[
        str, typer.Option(help="megatron (.bin, .idx), datatrove (.ds, nanotron too), mds or parquet")
    ] = "megatron",
) -> None:
    """Write datasets in the format of another library, separators kept."""
    from tamis import tokens
    from tamis.tokenize import export as formats

    if to not in FORMATS:
        raise unknown("format", to, FORMATS)
    if out.exists() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty.", "Name a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    for folder, target in folders(source, out):
        data = tokens.open(folder)
        place = out / source.resolve().name if target == out else target
        place.parent.mkdir(parents=True, exist_ok=True)
        blocks = ((block.input_ids, block.offsets) for block in data.blocks())
        if to == "parquet":
            formats.parquet(data.paths, place)
        elif to == "datatrove":
            formats.datatrove(blocks, place.with_name(place.name + ".ds"))
        else:
            (formats.mds if to == "mds" else formats.megatron)(blocks, place)
        _say(f"{place}: {len(data):,} rows as {to}")


def _say(text: str) -> None:
    Console(highlight=False, soft_wrap=True).print(escape(text))
