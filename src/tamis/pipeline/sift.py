"""The sift step: texts judged by language and by the recipe's chains, survivors signed. The cheap half of curate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.budget.ledger import Amount, Ledger, apportion
from tamis.columns import byte_lengths, put
from tamis.filters.chain import Chain, Sifted, sift
from tamis.filters.rewrites import Rewrite
from tamis.pipeline import languages, models, perplexity
from tamis.pipeline.drops import Drops
from tamis.pipeline.settings import Settings
from tamis.schema import EXTRACTED

LANGUAGE = "language"
_ROW = "row"


@dataclass(slots=True)
class Sift:
    """One unit's texts on their way through the filters."""

    settings: Settings
    ledger: Ledger
    drops: Drops

    def run(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the survivors of each batch, schema `survivors(settings)`; batches without survivors are left out."""
        for batch in batches:
            kept = self._by_language(batch)
            for chains in groups(self.settings.filters):
                kept = self._by_chains(chains, kept)
            if kept.num_rows:
                yield perplexity.score(kept, self.settings.perplexity) if self.settings.perplexity else kept

    def _by_language(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        batch = languages.regroup(batch, self.settings.langid)
        self.ledger.book_batch(LANGUAGE, "in", batch)
        reason, value, threshold = languages.judge(batch, self.settings.langid)
        dropped = batch.filter(pc.is_valid(reason))
        for name, values in (("reason", reason), ("value", value), ("threshold", threshold)):
            dropped = put(dropped, name, values.filter(pc.is_valid(reason)))
        kept = batch.filter(pc.is_null(reason))
        self._book(LANGUAGE, kept, dropped)
        return kept

    def _by_chains(self, chains: Sequence[Chain], batch: pa.RecordBatch) -> pa.RecordBatch:
        """Judge by chains that measure the texts together, and book each as a step of its own."""
        batch = put(batch, _ROW, np.arange(batch.num_rows))
        for chain, sifted in zip(chains, sift(chains, batch), strict=True):
            self.ledger.book_batch(chain.name, "in", batch)
            kept = self._recount(chain.name, batch, sifted) if sifted.removed.num_rows else sifted.kept
            self._book(chain.name, kept, sifted.dropped)
            batch = kept
        return batch.drop_columns([_ROW])

    def _book(self, step: str, kept: pa.RecordBatch, dropped: pa.RecordBatch) -> None:
        self.ledger.book_batch(step, "kept", kept)
        self.ledger.book_batch(step, "dropped", dropped)
        self.drops.add(step, dropped)

    def _recount(self, step: str, batch: pa.RecordBatch, sifted: Sifted) -> pa.RecordBatch:
        """Measure rewritten documents anew, and book what was cut out of them by language and reason."""
        kept = sifted.kept
        # Rows ascend, so a document's place in the chain's input is found by the number both carry.
        rows = np.searchsorted(batch.column(_ROW).to_numpy(), kept.column(_ROW).to_numpy())
        changed = np.isin(rows, np.unique(sifted.removed.column(_ROW).to_numpy()))
        texts = kept.column("text").filter(pa.array(changed))
        encoder = models.encoder(self.settings.tokenize.tokenizer)
        fresh = {"bytes": byte_lengths(texts), "chars": pc.utf8_length(texts), "tokens": encoder.count(texts)}
        for name, values in fresh.items():
            whole = kept.column(name).to_numpy().copy()
            whole[changed] = np.asarray(values)
            kept = put(kept, name, whole)
        lost = batch.column("tokens").to_numpy()[rows] - kept.column("tokens").to_numpy()
        tokens = dict(zip(rows[changed].tolist(), lost[changed].tolist(), strict=True))
        self._book_removed(step, batch, sifted.removed, tokens)
        return kept

    def _book_removed(self, step: str, batch: pa.RecordBatch, removed: pa.RecordBatch, tokens: dict[int, int]) -> None:
        """Book removed text. A document's lost tokens are shared out over its reasons in proportion to characters."""
        said = batch.column("language")
        for group in _by_row(removed):
            row = group[0][_ROW]
            shares = apportion(tokens[row], [abs(part["chars"]) for part in group])
            for part, share in zip(group, shares, strict=True):
                amount = Amount(0, part["bytes"], part["chars"], share)
                self.ledger.book(step, said[row].as_py(), "dropped", amount, part["reason"])


def _by_row(removed: pa.RecordBatch) -> Iterator[list[dict[str, Any]]]:
    """Yield the entries of each row together; `removed` is sorted by row."""
    held: list[dict[str, Any]] = []
    for entry in removed.to_pylist():
        if held and held[0][_ROW] != entry[_ROW]:
            yield held
            held = []
        held.append(entry)
    if held:
        yield held


def groups(chains: Sequence[Chain]) -> list[list[Chain]]:
    """Return runs of chains that can judge one batch together: up to and including one that rewrites texts, after
    which documents are measured anew."""
    found: list[list[Chain]] = [[]]
    for chain in chains:
        found[-1].append(chain)
        if any(isinstance(step, Rewrite) for step in chain.steps):
            found.append([])
    return [group for group in found if group]


def survivors(settings: Settings) -> pa.Schema:
    """Return the schema of what sift hands on: EXTRACTED plus the signals its chains judged."""
    fields = {field.name: field for field in EXTRACTED}
    for chain in settings.filters:
        fields |= {field.name: field for field in chain.columns if field.name not in fields}
    fields |= {field.name: field for field in perplexity.added(settings)}
    return pa.schema(list(fields.values()))
