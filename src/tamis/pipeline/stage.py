"""Stages by themselves: extract, langid, filter, dedup and tokenize, from files to a file, the books balanced.

Each reads Parquet, JSONL (.gz, .zst), plain text, WET and WARC: a path, a glob, a folder, a list of paths in a file, or
several of these. Documents are streamed; every column the input has beside id, url and text is handed on.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pyarrow as pa

from tamis.budget.ledger import Ledger
from tamis.dedup.options import DedupOptions
from tamis.errors import ConfigError, OutputError
from tamis.filters.chain import Chain
from tamis.langid.groups import by_group
from tamis.pipeline import distinct, models, tables
from tamis.pipeline.documents import DEDUP
from tamis.pipeline.drops import Drops
from tamis.pipeline.executor import InlineExecutor
from tamis.pipeline.inbox import Given
from tamis.pipeline.languages import ADDED as LANGUAGES
from tamis.pipeline.placement import settle_signing
from tamis.pipeline.settings import (
    ExtractSettings,
    LangidSettings,
    OutputSettings,
    ReadSettings,
    Settings,
    TokenizeSettings,
)
from tamis.pipeline.sift import LANGUAGE, Sift
from tamis.pipeline.standalone import DROPPED, StageReport, Standalone
from tamis.pipeline.storage import Storage
from tamis.pipeline.tokenfolder import TokenFolder
from tamis.pipeline.tokens import TOKENIZE
from tamis.schema import EXTRACTED
from tamis.tokenize.separate import separator as separator_of


def langid(
    source: Given,
    output: str | Path,
    *,
    model: str = "default",
    min_score: float = 0.0,
    keep: Sequence[str] | None = None,
    confusable: str | Mapping[str, str] = "separate",
    text_field: str = "text",
    overwrite: bool = False,
) -> StageReport:
    """Add `language`, `language_score` and the rest of what the identifier says to every document, in place of what the
    input says of its language.

    With `keep` (languages by any name) or `min_score` the others are dropped, as the main job would. `confusable` is
    the policy for languages taken for one another: separate, merge or ambiguous, for all groups or by group.
    Raises ConfigError, UnknownNameError, InputError, OutputError or ModelError.
    """
    if not 0 <= min_score <= 1:
        raise ConfigError(f"min_score is {min_score}.", "Scores lie between 0 and 1.")
    kept = tuple(models.identifier(model).require(keep, confusable)) if keep is not None else None
    settings = settings_of(text_field, langid=LangidSettings(model, kept, min_score, confusable))
    judging = keep is not None or min_score > 0 or set(by_group(confusable).values()) != {"separate"}

    def through(batches: Iterator[pa.RecordBatch], ledger: Ledger, drops: Drops) -> Iterator[pa.RecordBatch]:
        return Sift(settings, ledger, drops).run(batches) if judging else batches

    stage = Standalone(settings, [LANGUAGE] if judging else [], LANGUAGES, identify=True)
    return stage.run(source, str(output), through, overwrite=overwrite)


class _Chains(Sift):
    """Sifting by the chains alone: a stage by itself leaves languages to the langid stage."""

    def _by_language(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch


def filter(
    source: Given,
    output: str | Path,
    *,
    chains: Sequence[Chain],
    tokenizer: str = "default",
    text_field: str = "text",
    overwrite: bool = False,
) -> StageReport:
    """Keep what passes every chain, in order, and add the signals they judged as columns.

    Bounds per language go by the input's `language`; without one the default bounds hold. A rewrite changes `text`.
    Raises ConfigError where no chain is given or two share a name, InputError, OutputError or ModelError.
    """
    names = [chain.name for chain in chains]
    if not names or len(set(names)) < len(names):
        problem = f"Two chains share a name: {', '.join(names)}." if names else "No filter is given."
        raise ConfigError(problem, "Give --recipe NAME, or --chain NAME for each family of filters.")
    settings = settings_of(text_field, filters=tuple(chains), tokenize=TokenizeSettings(tokenizer))
    signals = {each.name: each for chain in chains for each in chain.columns if each.name not in EXTRACTED.names}

    def through(batches: Iterator[pa.RecordBatch], ledger: Ledger, drops: Drops) -> Iterator[pa.RecordBatch]:
        return _Chains(settings, ledger, drops).run(batches)

    added = pa.schema(list(signals.values()))
    return Standalone(settings, names, added).run(source, str(output), through, overwrite=overwrite)


def dedup(
    source: Given,
    output: str | Path,
    *,
    threshold: float = 0.8,
    scope: Literal["language", "global"] = "language",
    bands: int = 14,
    rows: int = 8,
    measure: Literal["jaccard", "containment"] = "jaccard",
    survivor: Literal["first", "longest", "newest", "score", "source"] = "first",
    score_column: str = "",
    sources: Sequence[str] = (),
    urls: bool = False,
    against: Sequence[str] = (),
    device: Literal["cpu", "cuda", "auto"] = "cpu",
    memory: int = 1 << 30,
    text_field: str = "text",
    overwrite: bool = False,
) -> StageReport:
    """Drop exact and near duplicates, one of each cluster kept, and add `cluster_size`.

    Options are those of `tamis.dedup.DedupOptions`. With `against`, what these output folders of runs with `keep_sets`
    have is dropped too; their texts are not read. `memory` in bytes bounds what is sorted and compared at once; texts
    and signatures lie in scratch files beside the output, about as large as the input's text. On CUDA this process
    takes the card.
    Raises ConfigError, InputError, OutputError or MissingExtraError.
    """
    options = DedupOptions(
        bands=bands,
        rows_per_band=rows,
        threshold=threshold,
        scope=scope,
        measure=measure,
        survivor=survivor,
        score_column=score_column,
        sources=tuple(sources),
        urls=urls,
        against=tuple(against),
        device=device,
    )
    settings = settings_of(text_field, dedup=options)
    found = settle_signing(options, InlineExecutor())

    def through(batches: Iterator[pa.RecordBatch], ledger: Ledger, drops: Drops) -> Iterator[pa.RecordBatch]:
        folder = tables.target(str(output), overwrite=True).folder
        place = None if "://" in folder else folder
        with tempfile.TemporaryDirectory(prefix=".tamis-dedup-", dir=place) as scratch:
            storage = Storage(scratch)
            if distinct.store(batches, storage, options, found):
                distinct.judge(storage, options, memory)
                yield from distinct.Distinct(settings, storage).kept(ledger, drops)

    stage = Standalone(settings, [DEDUP], pa.schema([pa.field("cluster_size", pa.int64())]))
    return stage.run(source, str(output), through, overwrite=overwrite)


def extract(
    source: Given,
    output: str | Path,
    *,
    extractor: str = "resiliparse",
    fallback: str | None = None,
    model: str = "default",
    overwrite: bool = False,
) -> StageReport:
    """Turn WARC and WET files into texts with `url`, `date`, `title`, `language` and `language_score`.

    `fallback` is the extractor for pages on which the first fails.
    Raises InputError where the input is ready-made text, ConfigError, OutputError or ModelError.
    """
    chosen = ExtractSettings(extractor=extractor, fallback=fallback)
    settings = settings_of("text", extract=chosen, langid=LangidSettings(model))
    models.page_extractor(chosen)

    def through(batches: Iterator[pa.RecordBatch], *_: object) -> Iterator[pa.RecordBatch]:
        return batches

    stage = Standalone(settings, pages_only=True)
    return stage.run(source, str(output), through, overwrite=overwrite)


def tokenize(
    source: Given,
    output: str | Path,
    *,
    tokenizer: str = "default",
    shard_tokens: int = 100_000_000,
    separator: str = "eos",
    text_field: str = "text",
    overwrite: bool = False,
) -> StageReport:
    """Write token shards, `<language>/00000.arrow` with its JSON files, into a folder made for them.

    Languages are the input's own (`und` where it states none). The folder appears when it is complete.
    Raises ConfigError, InputError, OutputError or ModelError.
    """
    settings = settings_of(text_field, tokenize=TokenizeSettings(tokenizer, shard_tokens, separator))
    encoder = models.encoder(tokenizer)
    policy = separator_of(encoder, separator)
    goal = _folder(str(output), overwrite)
    part = goal.with_name(f"{goal.name}.part-{uuid.uuid4().hex[:12]}")
    stage = Standalone(settings, [TOKENIZE])
    writer = TokenFolder(Storage(str(part)), encoder, policy, shard_tokens)
    try:
        report = stage.fill(source, Storage(str(part)), writer, str(goal))
        _replace(part, goal)
    finally:
        writer.abandon()
        shutil.rmtree(part, ignore_errors=True)
    return report


def _folder(output: str, overwrite: bool) -> Path:
    """Return the folder that tokenize is to make. Raises OutputError where it stands and may not be replaced."""
    if "://" in output:
        raise OutputError(f"{output} is not on this machine's disks.", "Write to a local folder and copy it.")
    goal = Path(output).absolute()
    if goal.exists() and not goal.is_dir():
        raise OutputError(f"{output} is a file.", "Name a folder.")
    entries = list(goal.iterdir()) if goal.is_dir() else []
    if entries and not overwrite:
        raise OutputError(f"{output} exists already and is not empty.", "Name another folder, or add --overwrite.")
    strange = [each.name for each in entries if each.name != DROPPED and not (each / "state.json").is_file()]
    if strange:
        raise OutputError(f"{output} holds what tokenize did not write: {strange[0]}.", "Name another folder.")
    return goal


def _replace(part: Path, goal: Path) -> None:
    """Put a finished folder in its place, the old one out of the way first."""
    old = goal.with_name(f"{part.name}.old")
    try:
        if goal.is_dir():
            goal.rename(old)
        part.rename(goal)
    except OSError as error:
        raise OutputError(f"{goal} cannot be written: {error.strerror or error}.", "Name another folder.") from error
    shutil.rmtree(old, ignore_errors=True)


def settings_of(
    text_field: str,
    *,
    extract: ExtractSettings | None = None,
    langid: LangidSettings | None = None,
    filters: tuple[Chain, ...] = (),
    dedup: DedupOptions | None = None,
    tokenize: TokenizeSettings | None = None,
) -> Settings:
    """Return the settings of a stage by itself."""
    return Settings(
        name="stage",
        read=ReadSettings(text_field=text_field),
        url=None,
        extract=extract or ExtractSettings(),
        langid=langid or LangidSettings(),
        filters=filters,
        dedup=dedup,
        tokenize=tokenize or TokenizeSettings(),
        output=OutputSettings(),
    )
