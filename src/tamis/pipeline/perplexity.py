"""Perplexity in a run: survivors scored by their language's bundle, and put into head, middle, tail or `all`.

It stands here and not among the filters, because stage packages do not import one another: what a bundle measures
meets the rest of the pipeline as columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis.budget.ledger import Ledger
from tamis.columns import put
from tamis.errors import ConfigError
from tamis.filters.signal import Signal
from tamis.perplexity.options import PerplexityOptions
from tamis.perplexity.reference import ALL, CCNET, Doubles, buckets

if TYPE_CHECKING:
    from tamis.perplexity.bundle import Bundle
    from tamis.pipeline.settings import Settings

# For rules of one's own: the last is a number too, as every signal is.
SIGNALS = ("perplexity", "bits_per_byte", "perplexity_percentile", "perplexity_bucket")

BUCKET = "bucket"
BUCKETS = "buckets"  # the step of the ledger that has what is kept by bucket
UNSCORED = "unscored"  # of documents too short to score, whose bucket is null

COLUMNS = (
    pa.field("perplexity", pa.float64()),
    pa.field("bits_per_byte", pa.float64()),
    pa.field("perplexity_percentile", pa.float64()),
    pa.field(BUCKET, pa.large_string()),
)


def find(folders: Iterable[Path]) -> dict[str, str]:
    """Return the bundles in folders, each a bundle, a folder of bundles, or one of CCNet's models; all are verified.

    Raises ConfigError where there is none, or two of one language; ModelError where one is damaged, MissingExtraError
    where one needs kenlm and there is none.
    """
    found: dict[str, str] = {}
    for folder in folders:
        inside = list(_inside(folder))
        if not inside:
            raise ConfigError(f"{folder} has no perplexity bundle.", "Train one with `tamis train lm`.")
        for language, path in inside:
            if language in found:
                raise ConfigError(f"{found[language]} and {path} are both for {language}.", "Name one of them.")
            found[language] = str(path)
    return found


def _inside(folder: Path) -> Iterator[tuple[str, Path]]:
    from tamis.langid.codes import resolve
    from tamis.perplexity.bundle import MANIFEST, ccnet_codes, load_ccnet, verify

    if (folder / MANIFEST).is_file():
        yield verify(folder)["language"], folder
        return
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        yield verify(path.parent)["language"], path.parent
    for code in ccnet_codes(folder):
        yield load_ccnet(folder, code, resolve(code)).language, folder / code


def _open(path: str, language: str) -> Bundle:
    from tamis.perplexity.bundle import load, load_ccnet

    folder = Path(path)
    return load(path) if folder.is_dir() else load_ccnet(folder.parent, folder.name, language)


def measure(texts: pa.Array, languages: pa.Array, settings: PerplexityOptions) -> dict[str, Doubles]:
    """Return the numeric COLUMNS of documents by name, and `perplexity_bucket`: 0 head, 1 middle, 2 tail, −1 without
    a place.

    NaN is what is not known: all three of a language without a bundle and of a document too short, and the percentile
    of CCNet's models without their table of cut points.
    """
    found = {field.name: np.full(len(texts), np.nan) for field in COLUMNS[:3]}
    for code in sorted(set(languages.unique().to_pylist()) & set(settings.bundles)):
        here = np.flatnonzero(pc.fill_null(pc.equal(languages, code), False).to_numpy(zero_copy_only=False))
        bundle = _open(settings.bundles[code], code)
        scores = bundle.scorer.score(texts.take(pa.array(here)), min_tokens=settings.min_tokens)
        found["perplexity"][here] = scores.perplexity
        found["bits_per_byte"][here] = scores.bits_per_byte
        if bundle.references:
            variant = settings.variant if settings.variant in bundle.references else CCNET
            found["perplexity_percentile"][here] = bundle.percentile(scores, variant)
    places = found["perplexity_percentile"]
    cuts = np.searchsorted([settings.head_below, settings.middle_below], places, side="right")
    return found | {SIGNALS[3]: np.where(np.isnan(places), -1.0, cuts)}


def score(batch: pa.RecordBatch, settings: PerplexityOptions) -> pa.RecordBatch:
    """Return the batch with COLUMNS set; all of a language without a bundle are null but the bucket, `all`."""
    languages = batch.column("language")
    found = measure(batch.column("text"), languages, settings)
    for name in SIGNALS[:3]:
        batch = put(batch, name, pa.array(found[name], pa.float64(), from_pandas=True))
    names = np.array(buckets(batch.column(SIGNALS[2]).to_numpy(zero_copy_only=False), _cuts(settings)), object)
    # A document that has a score but no distribution to be held against is as one without a bundle.
    scored = pc.is_in(languages, pa.array(sorted(settings.bundles))).to_numpy(zero_copy_only=False)
    names[~scored | (np.isnan(found[SIGNALS[2]]) & ~np.isnan(found[SIGNALS[0]]))] = ALL
    return put(batch, BUCKET, pa.array(names, pa.large_string()))


def _cuts(settings: PerplexityOptions) -> tuple[float, float]:
    return settings.head_below, settings.middle_below


def signals(settings: PerplexityOptions) -> dict[str, Signal]:
    """Return the signals of SIGNALS by name, for chains of one's own: `keep(signals(settings)["perplexity"], …)`.

    All four of a batch are measured in one go. A bound drops what is NaN, which is every document without a bundle:
    give bounds by language, or bind `perplexity_bucket`, which is −1 there and passes `at_most`.
    """
    struct = pa.struct([pa.field(name, pa.float64()) for name in SIGNALS])
    both = Signal("perplexity_scores", ("text", "language?"), _Measured(settings), type=struct)
    return {name: Signal(name, (both,), _Field(name)) for name in SIGNALS}


@dataclass(frozen=True)
class _Measured:
    settings: PerplexityOptions
    options: Any = None  # what the definition of a chain depends on beside the paths: the checksums of the bundles

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", self.settings.options())

    def __call__(self, texts: pa.Array, languages: pa.Array) -> pa.StructArray:
        found = measure(texts, languages, self.settings)
        return pa.StructArray.from_arrays([pa.array(found[name], from_pandas=True) for name in SIGNALS], list(SIGNALS))


@dataclass(frozen=True)
class _Field:
    name: str

    def __call__(self, scores: pa.StructArray) -> pa.Array:
        return pc.struct_field(scores, self.name)


def book(ledger: Ledger, batches: Iterable[pa.RecordBatch]) -> None:
    """Book documents in their final form: taken in, and kept by bucket."""
    for batch in batches:
        ledger.book_batch(BUCKETS, "in", batch)
        named = put(batch, "reason", pc.fill_null(batch.column(BUCKET), UNSCORED))
        ledger.book_batch(BUCKETS, "kept", named, by_reason=True)


def steps(settings: Settings) -> list[str]:
    """Return the steps of the ledger that scoring adds to a run."""
    return [BUCKETS] if settings.perplexity is not None else []


def bucket_tokens(batch: pa.RecordBatch) -> dict[str, int]:
    """Return the tokens of a batch's documents by bucket, for the receipt."""
    names = pc.fill_null(batch.column(BUCKET), UNSCORED)
    sums = pa.table({BUCKET: names, "tokens": batch.column("tokens")}).group_by(BUCKET).aggregate([("tokens", "sum")])
    return {row[BUCKET]: row["tokens_sum"] for row in sorted(sums.to_pylist(), key=lambda row: str(row[BUCKET]))}


def by_language(facts: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return tokens by language and bucket from the facts of documents receipts."""
    found: dict[str, dict[str, int]] = {}
    for each in facts:
        for code, fact in each["languages"].items():
            for name, tokens in fact.get("buckets", {}).items():
                language = found.setdefault(code, {})
                language[name] = language.get(name, 0) + tokens
    return {code: dict(sorted(found[code].items())) for code in sorted(found)}


def added(settings: Settings) -> list[pa.Field]:
    """Return the columns a run's survivors have more for being scored."""
    return list(COLUMNS) if settings.perplexity is not None else []
