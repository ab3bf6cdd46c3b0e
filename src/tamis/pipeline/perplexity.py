"""Perplexity in a run: survivors scored by their language's bundle, and put into head, middle, tail or `all`.

It stands here and not among the filters, because stage packages do not import one another: what a bundle measures
meets the rest of the pipeline as columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tamis import errors
from tamis.columns import put
from tamis.errors import ConfigError

if TYPE_CHECKING:
    from tamis.pipeline.settings import Settings

VARIANTS = ("perplexity", "bits_per_byte")
BUCKET = "bucket"
ALL = "all"  # of languages without a bundle
UNSCORED = "unscored"  # of documents too short to score, whose bucket is null

COLUMNS = (
    pa.field("perplexity", pa.float64()),
    pa.field("bits_per_byte", pa.float64()),
    pa.field("perplexity_percentile", pa.float64()),
    pa.field(BUCKET, pa.large_string()),
)


@dataclass(frozen=True, slots=True)
class PerplexitySettings:
    """Which bundle scores which language, and how its scores are cut.

    `bundles` are folders by language. `variant` is the score whose percentile decides the bucket: head below
    `head_below`, middle below `middle_below`, tail from there on. Documents under `min_tokens` pieces have no score.
    """

    bundles: Mapping[str, str]
    variant: str = "perplexity"
    head_below: float = 30.0
    middle_below: float = 60.0
    min_tokens: int = 10

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise errors.unknown("perplexity variant", self.variant, VARIANTS)
        if not 0 < self.head_below < self.middle_below < 100:
            raise ConfigError(
                f"perplexity.head_below is {self.head_below}, middle_below {self.middle_below}.",
                "They are percents, the first below the second.",
            )

    def options(self) -> dict[str, Any]:
        """Return what the scores depend on, as JSON holds it: the bundles by checksum, wherever they lie."""
        from tamis.perplexity.bundle import read_manifest

        sums = {code: read_manifest(Path(self.bundles[code]))["checksum"] for code in sorted(self.bundles)}
        cuts = [self.head_below, self.middle_below]
        return {"bundles": sums, "variant": self.variant, "cuts": cuts, "min_tokens": self.min_tokens}


def find(folders: Iterable[Path]) -> dict[str, str]:
    """Return the bundles in folders, each a bundle or a folder of bundles, by language; all are verified.

    Raises ConfigError where there is none, or two of one language; ModelError where one is damaged.
    """
    from tamis.perplexity.bundle import MANIFEST, verify

    found: dict[str, str] = {}
    for folder in folders:
        inside = [folder] if (folder / MANIFEST).is_file() else sorted(p.parent for p in folder.glob(f"*/{MANIFEST}"))
        if not inside:
            raise ConfigError(f"{folder} has no perplexity bundle.", "Train one with `tamis train lm`.")
        for path in inside:
            language = verify(path)["language"]
            if language in found:
                raise ConfigError(f"{found[language]} and {path} are both for {language}.", "Name one of them.")
            found[language] = str(path)
    return found


def score(batch: pa.RecordBatch, settings: PerplexitySettings) -> pa.RecordBatch:
    """Return the batch with COLUMNS set; all of a language without a bundle are null but the bucket, `all`."""
    from tamis.perplexity.bundle import load
    from tamis.perplexity.reference import buckets

    rows = batch.num_rows
    numbers = {field.name: np.full(rows, np.nan) for field in COLUMNS[:3]}
    names = np.full(rows, ALL, object)
    languages = batch.column("language")
    for code in sorted(set(languages.unique().to_pylist()) & set(settings.bundles)):
        here = np.flatnonzero(pc.equal(languages, code).to_numpy(zero_copy_only=False))
        bundle = load(settings.bundles[code])
        scores = bundle.scorer.score(batch.column("text").take(pa.array(here)), min_tokens=settings.min_tokens)
        chosen = scores.perplexity if settings.variant == "perplexity" else scores.bits_per_byte
        percentile = bundle.references[settings.variant].percentile(chosen)
        numbers["perplexity"][here] = scores.perplexity
        numbers["bits_per_byte"][here] = scores.bits_per_byte
        numbers["perplexity_percentile"][here] = percentile
        names[here] = buckets(percentile, (settings.head_below, settings.middle_below))
    for name, values in numbers.items():
        batch = put(batch, name, pa.array(values, pa.float64(), from_pandas=True))
    return put(batch, BUCKET, pa.array(names, pa.large_string()))


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
