"""Inbox: whatever a stage is given, as batches of measured texts, every record and row of it booked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tamis.budget.ledger import Ledger, amounts
from tamis.columns import as_text, column, put
from tamis.errors import InputError, UnknownNameError
from tamis.langid.codes import resolve as resolve_language
from tamis.pipeline import models
from tamis.pipeline.carry import REST, CarriedTexts
from tamis.pipeline.drops import Drops
from tamis.pipeline.extraction import Extraction
from tamis.pipeline.languages import ADDED as LANGUAGES
from tamis.pipeline.languages import identified
from tamis.pipeline.settings import Settings
from tamis.pipeline.shape import WARC_REST, Shape
from tamis.pipeline.storage import InputFiles
from tamis.schema import EXTRACTED, UNDETERMINED
from tamis.warc.manifest import Source, resolve

Given = str | Path | Sequence[str | Path]

LANGID = "langid"
PAGES = ("warc", "ranges")
MEASURED = ("id", "url", "text", "bytes", "chars", "tokens", "language")


def find(given: Given, files: InputFiles) -> list[Source]:
    """Return the sources that a path, glob, folder, manifest, or several of them stand for, each once.

    Raises InputError where one does not exist, or none can be read.
    """
    several = [given] if isinstance(given, (str, Path)) else given
    found = {source.uri: _opened(source, files) for each in several for source in resolve(str(each), files)}
    sources = list(found.values())
    if all(source.problem for source in sources):
        problems = "; ".join(f"{source.name}: {source.problem}" for source in sources[:5])
        raise InputError(f"None of the {len(sources)} inputs can be read: {problems}.", "Check the paths.")
    return sources


def _opened(source: Source, files: InputFiles) -> Source:
    if source.problem:
        return source
    try:
        with files.open(source.uri) as stream:
            stream.read(1)
    except OSError as error:
        return Source(source.name, source.uri, source.kind, source.size, f"cannot be read: {error.strerror or error}")
    return source


@dataclass(slots=True)
class Inbox:
    """Reads sources in order.

    shape: the form of the batches' REST; None: nothing is carried.
    leave: keys that are not carried, because the stage sets them anew.
    identify: whether texts get a language from the model even where they state one.
    """

    sources: Sequence[Source]
    files: InputFiles
    settings: Settings
    ledger: Ledger
    drops: Drops
    shape: Shape | None = None
    leave: frozenset[str] = field(default_factory=frozenset)
    identify: bool = False

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield batches with id, url, text, bytes, chars, tokens, language, perhaps what else is said of it, and REST.

        A language is the `iso639-3_Script` code of what the source states, `und` where it states none we know.
        """
        for source in self.sources:
            if not source.problem:
                for batch in self._pages(source) if source.kind in PAGES else self._texts(source):
                    yield self._uniform(batch)

    def _uniform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = [*MEASURED, *(LANGUAGES.names if self.identify else [])]
        names = list(dict.fromkeys(names))
        fields = [EXTRACTED.field(name) for name in names]
        if REST in batch.schema.names:
            fields.append(pa.field(REST, batch.schema.field(REST).type))
        return pa.RecordBatch.from_arrays([batch.column(field.name) for field in fields], schema=pa.schema(fields))

    def _pages(self, source: Source) -> Iterator[pa.RecordBatch]:
        """Yield the texts of a WARC or WET file; extraction has told their languages."""
        names = [name for name in WARC_REST.names if name not in self.leave]
        for batch in Extraction(self.settings, self.ledger, self.drops, {}).run(_shard(source), self.files):
            if self.shape is not None:
                rest = pa.StructArray.from_arrays([batch.column(name) for name in names], names)
                batch = self.shape.fit(batch.append_column(REST, rest))
            yield batch

    def _texts(self, source: Source) -> Iterator[pa.RecordBatch]:
        with self.files.open(source.uri) as stream:
            leave = None if self.shape is None else self.leave
            for batch in CarriedTexts(stream, _shard(source), self.settings.read, self.ledger, self.drops, leave):
                if batch.num_rows:
                    yield self._measured(batch.drop_columns([REST]) if self.shape is None else self.shape.fit(batch))

    def _measured(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch.column("text")
        batch = put(batch, "bytes", batch.column("source_bytes"))
        batch = put(batch, "chars", pc.utf8_length(texts).cast(pa.int64()))
        batch = put(batch, "tokens", models.encoder(self.settings.tokenize.tokenizer).count(texts))
        if not self.identify:
            return put(batch, "language", _languages(batch))
        for outcome in ("in", "kept"):
            self.ledger.book(LANGID, UNDETERMINED, outcome, amounts(batch))
        for name, values in identified(models.identifier(self.settings.langid.model).identify(texts)).items():
            batch = put(batch, name, values)
        return batch


def _shard(source: Source) -> dict[str, str | int | None]:
    return {"name": source.name, "uri": source.uri, "kind": source.kind, "start": 0, "end": None}


def _languages(batch: pa.RecordBatch) -> pa.Array:
    """Return the codes of the languages a batch states."""
    stated = column(batch, "language")
    if stated is None:
        return as_text([UNDETERMINED] * batch.num_rows)
    codes = {each: _code(each) for each in stated.unique().to_pylist()}
    return as_text([codes[each] for each in stated.to_pylist()])


def _code(stated: str | None) -> str:
    try:
        return resolve_language(stated) if stated else UNDETERMINED
    except UnknownNameError:
        return UNDETERMINED
