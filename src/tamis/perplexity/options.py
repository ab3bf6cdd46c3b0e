"""Options: a recipe's [perplexity], which bundle scores which language and how scores are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis import errors
from tamis.errors import ConfigError
from tamis.perplexity.reference import COMBINED, CUTS, VARIANTS


@dataclass(frozen=True, slots=True)
class PerplexityOptions:
    """Which bundle scores which language, and how its scores are cut.

    `bundles` are folders by language; for CCNet's models, folders and their code there. `variant` is the score whose
    percentile decides the bucket (CCNet's models have "ccnet" alone): head below `head_below`, middle below
    `middle_below`, tail from there on. Documents under `min_tokens` pieces have no score.
    """

    bundles: Mapping[str, str]
    variant: str = COMBINED
    head_below: float = CUTS[0]
    middle_below: float = CUTS[1]
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
        sums = {code: _checksum(Path(self.bundles[code])) for code in sorted(self.bundles)}
        cuts = [self.head_below, self.middle_below]
        return {"bundles": sums, "variant": self.variant, "cuts": cuts, "min_tokens": self.min_tokens}


def _checksum(path: Path) -> str:
    from tamis.perplexity.bundle import ccnet_checksum, read_manifest

    return str(read_manifest(path)["checksum"]) if path.is_dir() else ccnet_checksum(path.parent, path.name)
