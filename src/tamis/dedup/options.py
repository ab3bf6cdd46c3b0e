"""What deduplication can be told, and what MinHash LSH will find under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tamis.errors import ConfigError, unknown

_SCOPES = ("language", "global")
_SURVIVORS = ("first", "longest", "newest", "score", "source", "priority")
_MEASURES = ("jaccard", "containment")
_UNITS = ("line", "paragraph")
_ON_ALARM = ("warn", "stop")
_DEVICES = ("cpu", "cuda", "auto")

# Jaccard similarities at which the S-curve is tabled.
_SIMILARITIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class LineOptions:
    """What counts as a repeated line.

    unit: "line", or "paragraph", which ends at an empty line.
    at_least: documents that must share a line before it is cut from all of them.
    min_units: lines of fewer words (characters in unspaced scripts) are never cut: headings and answers repeat rightly.
    """

    unit: Literal["line", "paragraph"] = "line"
    at_least: int = 6
    min_units: int = 3

    def __post_init__(self) -> None:
        """Raise ConfigError when an option is out of its range."""
        if self.unit not in _UNITS:
            raise unknown("unit of repeated lines", self.unit, _UNITS)
        if self.at_least < 2 or self.min_units < 1:
            raise ConfigError("dedup.lines.at_least or min_units is too small.", "Give at least 2 and 1.")


@dataclass(frozen=True, slots=True)
class DedupOptions:
    """Options of near-duplicate removal; the defaults are FineWeb's bands with verified candidates.

    bands, rows_per_band: MinHash LSH; two documents become candidates when all rows of one band agree.
    band_sets: how many times the bands · rows_per_band values are grouped into bands, each time crosswise to before;
        a second set costs no hashing and finds 0.987 instead of 0.922 of the pairs at similarity 0.8. 1 is plain LSH.
    shingle_words: units in a shingle; a unit is a word, or one character with its marks in unspaced scripts.
    shingle_chars: when above 0, shingles are this many characters of the normalised text instead.
    threshold: verified Jaccard similarity, in (0, 1], at which a document is removed.
    seed: of the hash permutations; signatures of different seeds cannot be compared.
    scope: "language" compares within a language only, "global" everything.
    survivor: who stays: "first" in document order, "longest" in bytes, "newest" by date, best "score" in the column
        `score_column`, earliest "source" in `sources`, or highest "priority" as handed in. Ties go by document order.
    min_shingles: texts with fewer take part in exact matching only; 0 means as many as a shingle has units.
    measure: "jaccard", or "containment": the share of the removed document's shingles that the kept one has. Candidates
        are found by their Jaccard similarity all the same: a small part of a long page is met by chance only.
    score_column: a number per document, higher is better; for survivor "score".
    sources: beginnings of document ids, best first; for survivor "source". Others come last.
    urls: whether pages of one URL, scheme, fragment and tracking parameters aside, are duplicates whatever their text.
    keep_sets: whether shingle sets are stored with the signatures, about 4 bytes a word, for later runs `against` this.
    against: output folders of earlier runs, oldest first, made with the same options and `keep_sets`: what they have is
        removed here. No text of theirs is read.
    max_leaders: how many unlike survivors of one bucket a document is compared with at most.
    max_cluster: a cluster of so many documents is split again: what is less like its survivor than half-way from
        `threshold` to 1 starts clusters of its own. 0 sets no bound.
    alarm_share: a language or domain of at least 100 documents that loses more than this share of them is an alarm.
    on_alarm: "warn", or "stop" the run before any document is written.
    lines: cut lines that many of the documents that stay share; None cuts none.
    audit: whether to look how much of what stays still occurs several times.
    device: what makes signatures: "cpu", "cuda", or "auto", CUDA where there is any. It changes no bit of them.
    """

    bands: int = 14
    rows_per_band: int = 8
    shingle_words: int = 5
    shingle_chars: int = 0
    threshold: float = 0.8
    seed: int = 1
    scope: Literal["language", "global"] = "language"
    survivor: Literal["first", "longest", "newest", "score", "source", "priority"] = "first"
    min_shingles: int = 0
    max_leaders: int = 64
    band_sets: int = 2
    measure: Literal["jaccard", "containment"] = "jaccard"
    score_column: str = ""
    sources: tuple[str, ...] = ()
    urls: bool = False
    keep_sets: bool = False
    against: tuple[str, ...] = ()
    max_cluster: int = 10_000
    alarm_share: float = 0.5
    on_alarm: Literal["warn", "stop"] = "warn"
    lines: LineOptions | None = None
    audit: bool = False
    device: Literal["cpu", "cuda", "auto"] = "cpu"

    def __post_init__(self) -> None:
        """Raise ConfigError when an option is out of its range."""
        for name in ("sources", "against"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        for name in ("bands", "rows_per_band", "shingle_words", "max_leaders", "band_sets"):
            if getattr(self, name) < 1:
                raise ConfigError(f"dedup.{name} is {getattr(self, name)}.", "It must be at least 1.")
        if self.band_sets > self.bands:
            raise ConfigError(f"dedup.band_sets is {self.band_sets}, dedup.bands {self.bands}.", "Sets would repeat.")
        if not 0 < self.threshold <= 1:
            raise ConfigError(
                f"dedup.threshold is {self.threshold}.", "It is a Jaccard similarity: above 0, at most 1."
            )
        if min(self.shingle_chars, self.min_shingles, self.max_cluster) < 0:
            raise ConfigError(
                "dedup.shingle_chars, dedup.min_shingles and dedup.max_cluster count things.", "Give 0 or more."
            )
        if self.scope not in _SCOPES:
            raise unknown("dedup scope", self.scope, _SCOPES)
        if self.survivor not in _SURVIVORS:
            raise unknown("dedup survivor", self.survivor, _SURVIVORS)
        if self.measure not in _MEASURES:
            raise unknown("dedup measure", self.measure, _MEASURES)
        if self.on_alarm not in _ON_ALARM:
            raise unknown("dedup on_alarm", self.on_alarm, _ON_ALARM)
        if self.device not in _DEVICES:
            raise unknown("dedup device", self.device, _DEVICES)
        for name, needs in (("score", "score_column"), ("source", "sources")):
            if (self.survivor == name) != bool(getattr(self, needs)):
                raise ConfigError(f"dedup.survivor is {self.survivor!r}.", f"{name!r} and dedup.{needs} go together.")

    @property
    def hashes(self) -> int:
        """How many MinHash values a signature is made of."""
        return self.bands * self.rows_per_band

    @property
    def units(self) -> int:
        """How many units one shingle has."""
        return self.shingle_chars or self.shingle_words

    @property
    def stored(self) -> bool:
        """Whether signatures have the column `set`."""
        return self.keep_sets or bool(self.against)

    @property
    def signature(self) -> str:
        """What signatures depend on; those of two runs can be compared if they agree in it."""
        names = ("bands", "rows_per_band", "band_sets", "shingle_words", "shingle_chars", "seed", "min_shingles")
        return " ".join(f"{name}={getattr(self, name)}" for name in names)

    @property
    def candidates(self) -> dict[str, Any]:
        """What decides who is compared with whom: the rest can change without finding that out again."""
        names = ("scope", "survivor", "score_column", "sources", "urls")
        return {"signature": self.signature, "stored": self.stored, **{name: getattr(self, name) for name in names}}

    @property
    def verdict(self) -> dict[str, Any]:
        """What decides who goes, beside `candidates`."""
        return {name: getattr(self, name) for name in ("threshold", "measure", "max_leaders", "max_cluster")}

    @property
    def floor(self) -> int:
        """The fewest shingles with which a document takes part in near matching."""
        return self.min_shingles or self.units


def _names(name: str, given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not all(isinstance(each, str) for each in given):  # type: ignore[attr-defined]
        raise ConfigError(f"dedup.{name} is {given!r}.", "It must be a list of strings.")
    return tuple(given)  # type: ignore[arg-type]


def band_names(options: DedupOptions) -> list[str]:
    """Return the names of the signature's band columns, in order: those of the first set, then of the next."""
    return [f"band_{band:02d}" for band in range(options.bands * options.band_sets)]


def scurve(options: DedupOptions) -> list[tuple[float, float]]:
    """Return (Jaccard similarity, probability that such a pair becomes a candidate): 1 - (1 - s^rows)^(bands · sets).

    Exact for one set; the sets of several share values, and the figure is up to 0.03 too high.
    """
    total = options.bands * options.band_sets
    return [(s, 1 - (1 - s**options.rows_per_band) ** total) for s in _SIMILARITIES]
