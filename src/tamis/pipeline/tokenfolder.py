"""Token folder: a stream of texts as token shards, a folder for each language."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.budget.ledger import Amount, Ledger, amounts
from tamis.errors import ConfigError
from tamis.pipeline.storage import Storage
from tamis.pipeline.tokens import TOKENIZE, read_back
from tamis.tokenize.dataset import ShardSummary, ShardWriter
from tamis.tokenize.encode import Encoder
from tamis.tokenize.folder import dataset_files
from tamis.tokenize.separate import Separator


@dataclass(slots=True)
class _Language:
    """One language's shards: those written, and the one that is open."""

    tokens: int = 0  # of all documents so far
    number: int = -1  # which multiple of shard_tokens the open shard began in
    written: list[tuple[str, ShardSummary]] = field(default_factory=list)
    stack: ExitStack = field(default_factory=ExitStack)
    writer: ShardWriter | None = None


class TokenFolder:
    """Writes `<language>/00000.arrow` and so on below a storage. `add` batches, then `close`.

    A document goes to the shard its first token falls into, counting `shard_tokens` to a shard; shards that one long
    document would leave empty are not written. One shard of each language is open at a time.
    """

    def __init__(self, storage: Storage, encoder: Encoder, policy: Separator, shard_tokens: int) -> None:
        if shard_tokens < 1:
            raise ConfigError(f"shard_tokens is {shard_tokens}.", "It must be at least 1; 100_000_000 is usual.")
        self._storage = storage
        self._encoder = encoder
        self._policy = policy
        self._shard_tokens = shard_tokens
        self._languages: dict[str, _Language] = {}

    def add(self, batch: pa.RecordBatch, ledger: Ledger) -> None:
        """Add documents with id, language, text and their measures; books what goes in."""
        ledger.book_batch(TOKENIZE, "in", batch)
        for code in sorted(batch.column("language").unique().to_pylist()):
            part = batch.filter(pc.equal(batch.column("language"), code))
            amount = amounts(part)
            ledger.book(TOKENIZE, code, "kept", Amount(0, amount.bytes, amount.chars))
            self._spread(code, part)

    def close(self, ledger: Ledger) -> int:
        """Finish all shards, book the documents and tokens in them, and write each folder's JSON files.

        Returns the number of documents written.
        """
        for code, language in sorted(self._languages.items()):
            self._shut(code, language)
            for _, summary in language.written:
                ledger.book(TOKENIZE, code, "kept", Amount(summary.documents, 0, 0, summary.tokens))
            for name, data in dataset_files(code, language.written, self._encoder, self._policy).items():
                self._storage.write(f"{code}/{name}", data)
        return sum(summary.documents for each in self._languages.values() for _, summary in each.written)

    def abandon(self) -> None:
        """Close what is open after an error; the folder is not to be used."""
        for language in self._languages.values():
            language.stack.close()

    def _spread(self, code: str, part: pa.RecordBatch) -> None:
        language = self._languages.setdefault(code, _Language())
        tokens = part.column("tokens").to_numpy()
        ends = language.tokens + np.cumsum(tokens)
        numbers = (ends - tokens) // self._shard_tokens
        language.tokens = int(ends[-1])
        for number in np.unique(numbers):
            first, last = np.searchsorted(numbers, [number, number + 1]).tolist()
            self._writer(code, language, int(number)).add(part.slice(first, last - first))

    def _writer(self, code: str, language: _Language, number: int) -> ShardWriter:
        if language.writer is None or language.number != number:
            self._shut(code, language)
            name = f"{len(language.written):05d}.arrow"
            sink = language.stack.enter_context(self._storage.create(f"{code}/{name}"))
            language.writer = ShardWriter(cast(BinaryIO, sink), self._encoder, self._policy)
            language.number = number
        return language.writer

    def _shut(self, code: str, language: _Language) -> None:
        if language.writer is not None:
            name, summary = f"{len(language.written):05d}.arrow", language.writer.close()
            language.written.append((name, summary))
            language.stack.close()
            language.writer = None
            read_back(self._storage, f"{code}/{name}", summary)
