"""datatrove: any of its filter blocks in a Chain, and a Chain as one of its blocks.

    chain = Chain(from_datatrove(GopherQualityFilter()), keep(digit_share, at_most=0.2))
    pipeline = [reader, to_datatrove(chain), writer]

datatrove and what its block needs are imported only where a block is made or run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tamis import errors
from tamis.filters.chain import Chain
from tamis.filters.rewrites import Rewrite
from tamis.filters.rule import keep
from tamis.filters.signal import Signal

# Documents that a Chain judges at once when it stands in a datatrove pipeline.
BATCH_SIZE = 256

_VERDICT = pa.struct([pa.field("kept", pa.float64()), pa.field("text", pa.large_string())])


@dataclass(frozen=True, slots=True)
class Run:
    """Runs a block on each document; an exception drops the document as every signal's does."""

    block: Any

    def __call__(self, text: pa.Array, url: pa.Array, language: pa.Array) -> pa.Array:
        """Return (1 kept or 0 dropped, the text as the block left it) of each row, as a struct column."""
        from datatrove.data import Document

        rows = []
        for number, values in enumerate(zip(text.to_pylist(), url.to_pylist(), language.to_pylist(), strict=True)):
            body, address, code = values
            facts = {"url": address, "language": code}
            known = {key: value for key, value in facts.items() if value is not None}
            document = Document(text=body or "", id=str(number), metadata=known)
            result = self.block.filter(document)
            kept = result[0] if isinstance(result, tuple) else result
            rows.append({"kept": float(bool(kept)), "text": document.text})
        return pa.array(rows, _VERDICT)


@dataclass(frozen=True, slots=True)
class Kept:
    """The verdict of a block that ran."""

    def __call__(self, ran: pa.Array) -> pa.Array:
        """Return 1 for kept and 0 for dropped."""
        return ran.field("kept") if not ran.offset else pa.array([row["kept"] for row in ran.to_pylist()])


@dataclass(frozen=True, slots=True)
class Left:
    """The rewrite: the text as the block left it."""

    def __call__(self, ran: pa.Array) -> pa.Array:
        """Return the texts."""
        return pa.array([row["text"] for row in ran.to_pylist()], pa.large_string())


def from_datatrove(block: Any, *, name: str | None = None) -> Chain:
    """Return a Chain of one datatrove filter block: any object with `filter(document)`.

    The reason of a drop is `name`, by default the block's class in snake case. What the block edits in the text (as
    C4's does) is done by a rewrite, after the verdict; the document's metadata has `url` and `language` where the
    batch has them. A block that counts its own statistics goes on doing so.

    Raises ConfigError for an object without `filter`.
    """
    if not callable(getattr(block, "filter", None)):
        raise errors.ConfigError(f"{type(block).__name__} is no datatrove filter.", "Give a block with `filter(doc)`.")
    reason = name or _snake(type(block).__name__)
    ran = Signal(f"{reason}_block", ("text", "url?", "language?"), Run(block), type=_VERDICT)
    rule = keep(Signal(reason, (ran,), Kept()), at_least=1.0, origin=f"datatrove: {_described(block)}")
    return Chain(rule, Rewrite(f"{reason}_rewrite", (ran,), Left()), name=reason)


def to_datatrove(chain: Chain, *, exclusion_writer: Any = None, batch_size: int = BATCH_SIZE) -> Any:
    """Return a datatrove filter block that judges as `chain` does, and leaves the text as the chain's rewrites do.

    Reads `document.text`, and from its metadata every number, `url` and `language`. The reason of a drop is the
    chain's. Raises ImportError where datatrove is not installed.
    """
    return _block_class()(chain, exclusion_writer, batch_size)


def judge(chain: Chain, documents: list[Any]) -> Iterator[bool | tuple[bool, str]]:
    """Yield what a datatrove block answers for each document, and put the rewritten texts in the kept ones."""
    sifted = chain(_batch(documents))
    kept = dict(zip(sifted.kept["row"].to_pylist(), sifted.kept["text"].to_pylist(), strict=True))
    reasons = dict(zip(sifted.dropped["row"].to_pylist(), sifted.dropped["reason"].to_pylist(), strict=True))
    for row, document in enumerate(documents):
        if row in kept:
            document.text = kept[row]
            yield True
        else:
            yield False, reasons[row]


def _block_class() -> Any:
    from datatrove.pipeline.filters.base_filter import BaseFilter

    class ChainFilter(BaseFilter):  # type: ignore[misc]
        name = "Tamis chain"

        def __init__(self, chain: Chain, exclusion_writer: Any, batch_size: int) -> None:
            super().__init__(exclusion_writer, batch_size)
            self.chain = chain

        def filter(self, doc: Any) -> bool | tuple[bool, str]:
            return next(judge(self.chain, [doc]))

        def filter_batch(self, batch: list[Any]) -> list[bool | tuple[bool, str]]:
            return list(judge(self.chain, batch))

    return ChainFilter


def _batch(documents: list[Any]) -> pa.RecordBatch:
    columns: dict[str, pa.Array] = {
        "row": pa.array(range(len(documents)), pa.int64()),
        "text": pa.array([document.text for document in documents], pa.large_string()),
    }
    for name in ("url", "language"):
        values = [document.metadata.get(name) for document in documents]
        columns[name] = pa.array([None if value is None else str(value) for value in values], pa.large_string())
    for name in sorted({name for document in documents for name in document.metadata} - columns.keys()):
        values = [document.metadata.get(name) for document in documents]
        if all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values):
            columns[name] = pa.array(values, pa.float64())
    return pa.record_batch(columns)


def _snake(name: str) -> str:
    return "".join(
        f"_{letter.lower()}" if letter.isupper() and place else letter.lower() for place, letter in enumerate(name)
    )


def _described(block: Any) -> str:
    plain = {key: value for key, value in vars(block).items() if isinstance(value, (bool, int, float, str))}
    return f"{type(block).__name__} {json.dumps(plain, sort_keys=True, ensure_ascii=False)}"
