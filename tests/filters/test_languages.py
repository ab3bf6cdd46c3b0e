"""A rule that knows English alone says so, and is refused on other languages unless forced."""

from __future__ import annotations

import pytest

from tamis.errors import ConfigError
from tamis.filters import build, gopher_quality
from tamis.filters.tables import require_languages


def test_default_variants_know_every_language() -> None:
    chains = build(
        [{"chain": name} for name in ("gopher_quality", "gopher_repetition", "c4_quality", "fineweb_quality")]
    )
    require_languages(chains, None)
    require_languages(chains, ["tam_Taml"])


@pytest.mark.parametrize("variant", ["datatrove", "dolma", "dclm", "paper"])
def test_english_rules_are_refused_on_other_languages(variant: str) -> None:
    chains = build([{"chain": "gopher_quality", "variant": variant}])
    assert {rule.languages for rule in chains[0].steps} == {("eng_Latn",)}
    require_languages(chains, ["eng_Latn"])
    for languages in (None, ["eng_Latn", "tam_Taml"]):
        with pytest.raises(ConfigError, match="eng_Latn alone"):
            require_languages(chains, languages)
    require_languages(build([{"chain": "gopher_quality", "variant": variant, "force": True}]), None)


def test_the_fingerprint_is_of_what_is_judged() -> None:
    assert gopher_quality().fingerprint == build([{"chain": "gopher_quality"}])[0].fingerprint
