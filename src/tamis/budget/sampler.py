"""Sampler: documents drawn from several token datasets in the shares of a mixture, the same sequence every time.

The language that lags furthest behind its share in tokens comes next, so the realised mixture is never off by more
than a document. Each epoch of a language is a fresh seeded order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tamis.budget.mixture import Mixture
from tamis.errors import ConfigError


class Document(Protocol):
    """A document of a token dataset; `input_ids` has a length."""

    @property
    def input_ids(self) -> Any:
        """The token ids."""


class Dataset(Protocol):
    """A token dataset, as `tamis.tokenize.open` gives it."""

    def __len__(self) -> int:
        """Return the number of documents."""

    def __getitem__(self, index: int, /) -> Document:
        """Return a document."""


@dataclass(slots=True)
class _Source:
    """One language being drawn from."""

    dataset: Dataset
    weight: float
    code: str
    seed: int
    drawn: int = 0  # tokens
    documents: int = 0
    epoch: int = -1
    order: Any = None

    def next(self) -> Document:
        epoch, place = divmod(self.documents, len(self.dataset))
        if epoch != self.epoch:
            key = [self.seed, epoch, *self.code.encode()]
            self.order = np.random.default_rng(key).permutation(len(self.dataset))
            self.epoch = epoch
        document = self.dataset[int(self.order[place])]
        self.documents += 1
        self.drawn += len(document.input_ids)
        return document


class Sampler:
    """Iterates over documents in the shares of `mixture` until `tokens` are drawn (default: what it plans).

    `datasets` are by language. Raises ConfigError where a language with a share has no documents.
    """

    def __init__(
        self, mixture: Mixture, datasets: Mapping[str, Dataset], *, tokens: float | None = None, seed: int = 0
    ) -> None:
        self._tokens = mixture.tokens if tokens is None else tokens
        shares = [share for share in mixture.shares if share.weight > 0]
        for share in shares:
            if share.language not in datasets or len(datasets[share.language]) == 0:
                raise ConfigError(f"The mixture wants {share.language}, of which there are no documents.", "Mix again.")
        self._sources = [_Source(datasets[share.language], share.weight, share.language, seed) for share in shares]

    def __iter__(self) -> Iterator[Document]:
        total = sum(source.drawn for source in self._sources)
        while total < self._tokens:
            source = min(self._sources, key=lambda each: (each.drawn - each.weight * total, each.code))
            before = source.drawn
            document = source.next()
            total += source.drawn - before
            if source.documents >= len(source.dataset) and source.drawn == 0:
                raise ConfigError(f"The documents of {source.code} hold no tokens.", "Leave the language out.")
            yield document

    def realised(self) -> dict[str, float]:
        """Return each language's share of the tokens drawn so far."""
        total = sum(source.drawn for source in self._sources)
        return {source.code: source.drawn / total if total else 0.0 for source in self._sources}

    def state_dict(self) -> dict[str, Any]:
        """Return where the sampler stands, as plain JSON values."""
        return {source.code: [source.drawn, source.documents] for source in self._sources}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken. Raises ConfigError for a state of other languages."""
        if set(state) != {source.code for source in self._sources}:
            raise ConfigError("The state is of another mixture.", "Load it into the sampler it was taken from.")
        for source in self._sources:
            source.drawn, source.documents = (int(n) for n in state[source.code])
            source.epoch = -1
