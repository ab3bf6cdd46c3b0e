"""Settings: a resolved recipe. Everything a result depends on, and nothing it does not (no workers, no memory)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tamis.bounds import Bound, plain
from tamis.perplexity.options import PerplexityOptions
from tamis.scoring.options import ScoringOptions

if TYPE_CHECKING:
    from tamis.dedup.options import DedupOptions
    from tamis.filters.chain import Chain


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """How input is cut and which records are pages."""

    unit_bytes: int = 128 << 20  # compressed input per unit of work: 30–120 s of extraction
    max_payload: int = 64 << 20  # a larger record body is set aside as `too_large`
    text_field: str = "text"  # of Parquet and JSONL input
    crawl_data: str = ""  # where crawl-data/… is read: https, s3 or an address; "" is as the manifest writes it
    requests_per_second: float = 10.0  # to each web server, by all workers together; 0 is no limit


@dataclass(frozen=True, slots=True)
class ExtractSettings:
    """Which extractor turns HTML into text, and what bounds it."""

    extractor: str = "native"
    options: Mapping[str, Any] = field(default_factory=dict)
    fallback: str | None = None
    unsure_below: float = 0.0  # pages of less confidence go to the fallback as well
    early_exit: bool = False  # look at pages before a dear extractor does (pipeline/early.py)
    deadline_seconds: float = 10.0
    deadline_seconds_per_mb: float = 2.0  # and so much more for each MB of a page
    max_html_bytes: int = 20 << 20


@dataclass(frozen=True, slots=True)
class LangidSettings:
    """Which identifier is asked and which of its answers are kept.

    `at_least` may be a way of deriving bounds from the run's own scores, `spread` or `purity` (docs/langid.md).
    `confusable` is the policy for languages that are taken for one another: separate, merge or ambiguous, for all
    groups or by group; a difference of scores below `margin` makes two of them ambiguous.
    """

    model: str = "default"
    keep: tuple[str, ...] | None = None  # None: every language
    at_least: Bound | str = 0.0
    confusable: str | Mapping[str, str] = "separate"
    margin: float = 0.3

    @property
    def bound(self) -> Bound:
        """The bound in force. Raises TypeError where it is yet to be derived."""
        if isinstance(self.at_least, str):
            raise TypeError(f"langid.at_least is {self.at_least!r}, and the scores it comes from are not known yet")
        return self.at_least


@dataclass(frozen=True, slots=True)
class TokenizeSettings:
    """Which tokenizer counts and encodes, and how its shards are cut; `by_bucket` gives each bucket its own folder."""

    tokenizer: str = "default"
    shard_tokens: int = 100_000_000
    separator: str = "eos"
    by_bucket: bool = False


@dataclass(frozen=True, slots=True)
class OutputSettings:
    """What is kept beside the documents."""

    samples: int = 20  # dropped documents per unit, step, language and reason whose text start is kept
    sample_chars: int = 1000


@dataclass(frozen=True, slots=True)
class Settings:
    """A resolved recipe. `filters` are chains in order, each a step of the ledger; `dedup` None: no deduplication;
    `perplexity` None: no bundle scores, and every bucket is `all`; `scoring` None: no other model does."""

    name: str
    read: ReadSettings
    url: Chain | None
    extract: ExtractSettings
    langid: LangidSettings
    filters: tuple[Chain, ...]
    dedup: DedupOptions | None
    tokenize: TokenizeSettings
    output: OutputSettings
    perplexity: PerplexityOptions | None = None
    scoring: ScoringOptions | None = None

    def language_options(self) -> dict[str, Any]:
        """Return what the language judgement depends on, as JSON holds it."""
        asked = self.langid
        keep = sorted(asked.keep) if asked.keep is not None else None
        bound = asked.at_least if isinstance(asked.at_least, str) else plain(asked.at_least)
        policy = asked.confusable if isinstance(asked.confusable, str) else dict(asked.confusable)
        return {"keep": keep, "at_least": bound, "confusable": policy, "margin": asked.margin}
