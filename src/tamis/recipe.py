"""Recipes: TOML in, settings out."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tamis import errors
from tamis.bounds import PerLanguage
from tamis.errors import ConfigError
from tamis.perplexity.options import PerplexityOptions
from tamis.pipeline.perplexity import find as find_bundles
from tamis.pipeline.perplexity import signals as perplexity_signals
from tamis.pipeline.settings import (
    ExtractSettings,
    LangidSettings,
    OutputSettings,
    ReadSettings,
    Settings,
    TokenizeSettings,
)
from tamis.scoring.options import ScoringOptions
from tamis.scoring.options import keys as scoring_keys
from tamis.values import bound, count, languages, least, parse, policies, resolve_language, size

if TYPE_CHECKING:
    from tamis.filters.chain import Chain

T = TypeVar("T")

SECTIONS = (
    "name",
    "description",
    "import",
    "read",
    "url",
    "extract",
    "langid",
    "filters",
    "perplexity",
    "scoring",
    "dedup",
    "tokenize",
    "output",
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe as written: its name, its tables, and the folder its relative paths start from."""

    name: str
    tables: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()

    def settings(self, filters: Chain | None = None) -> Settings:
        """Return the settings the recipe resolves to; `filters` replaces the recipe's own.

        Raises ConfigError where a key, name, value or language is wrong, before any input is read.
        """
        from tamis.filters.registry import load_module
        from tamis.filters.tables import build, require_languages

        for key in self.tables:
            if key not in SECTIONS:
                raise errors.unknown("key at the top of the recipe", key, SECTIONS)
        for path in self.tables.get("import", []):
            load_module(self.folder / path)
        scoring = self._perplexity()
        given = perplexity_signals(scoring) if scoring is not None else {}
        chains = [filters] if filters is not None else build(self._filters(), resolve_language, given)
        langid = self._langid()
        if filters is None:
            require_languages(chains, langid.keep)
        return Settings(
            name=self.name,
            read=self._section("read", ReadSettings, {"unit_bytes": size, "max_payload": size}),
            url=self._url(),
            extract=self._section("extract", ExtractSettings, {"max_html_bytes": size}),
            langid=langid,
            filters=tuple(_distinct(chains)),
            dedup=self._dedup(),
            tokenize=self._tokenize(),
            output=self._section("output", OutputSettings, {}),
            perplexity=scoring,
            scoring=self._scoring(),
        )

    def _table(self, name: str) -> dict[str, Any]:
        table = self.tables.get(name, {})
        if not isinstance(table, Mapping):
            raise ConfigError(f"[{name}] of recipe {self.name!r} is {table!r}.", "It must be a table of settings.")
        return dict(table)

    def _section(self, name: str, kind: type[T], convert: Mapping[str, Callable[[Any], Any]]) -> T:
        return parse(name, kind, self._table(name), convert)

    def _filters(self) -> list[dict[str, Any]]:
        specs = self.tables.get("filters", [])
        if not isinstance(specs, list) or not all(isinstance(spec, Mapping) for spec in specs):
            raise ConfigError("`filters` must be a list of tables.", "Write each as [[filters]].")
        # "shipped" is a table of the package; anything else is a file, found from the recipe's own folder.
        files = [spec.get("thresholds", "shipped") for spec in specs]
        found = [{} if name == "shipped" else {"thresholds": str(self.folder / str(name))} for name in files]
        return [{**spec, **path} for spec, path in zip(specs, found, strict=True)]

    def _url(self) -> Chain | None:
        table = self._table("url")
        if not table:
            return None
        from tamis.filters.chain import Chain
        from tamis.filters.tables import build

        lists = ("domains", "urls", "substrings", "words", "soft_words")
        paths = {key: _paths(self.folder, value) for key, value in table.items() if key in lists}
        chain = build([{"chain": "url_rules"} | table | paths], resolve_language)[0]
        return Chain(chain, name="url")

    def _langid(self) -> LangidSettings:
        convert = {"keep": languages, "at_least": least, "confusable": policies}
        settings = self._section("langid", LangidSettings, convert)
        _check_languages(settings)
        return settings

    def _dedup(self) -> Any:
        from tamis.dedup.options import DedupOptions, LineOptions

        def lines(value: Any) -> LineOptions:
            if not isinstance(value, Mapping):
                raise ConfigError(f"dedup.lines is {value!r}.", "Write it as a table: [dedup.lines].")
            return parse("dedup.lines", LineOptions, value, {})

        return self._section("dedup", DedupOptions, {"lines": lines}) if "dedup" in self.tables else None

    def _perplexity(self) -> PerplexityOptions | None:
        if "perplexity" not in self.tables:
            return None
        if "bundles" not in self._table("perplexity"):
            raise ConfigError("[perplexity] names no bundles.", "Give bundles = a folder, or a list of folders.")
        return self._section("perplexity", PerplexityOptions, {"bundles": self._bundles})

    def _scoring(self) -> ScoringOptions | None:
        if "scoring" not in self.tables:
            return None
        return self._section("scoring", ScoringOptions, scoring_keys(self.folder, bound))

    def _bundles(self, value: Any) -> dict[str, str]:
        return find_bundles(self.folder / path for path in ([value] if isinstance(value, str) else value))

    def _tokenize(self) -> TokenizeSettings:
        settings = self._section("tokenize", TokenizeSettings, {"shard_tokens": count})
        if settings.by_bucket and "perplexity" not in self.tables:
            raise ConfigError("tokenize.by_bucket is set, and nothing makes buckets.", "Add [perplexity], or unset it.")
        local = self.folder / settings.tokenizer
        return dataclasses.replace(settings, tokenizer=str(local)) if local.exists() else settings


def _check_languages(settings: LangidSettings) -> None:
    """Raise UnknownNameError for a language asked for that the model can never answer, ModelError for no model."""
    from tamis.pipeline import models

    identifier = models.identifier(settings.model)
    bound = settings.at_least
    asked = [*(settings.keep or ()), *(bound.overrides if isinstance(bound, PerLanguage) else ())]
    if asked:
        identifier.require(asked, settings.confusable)
    if not 0 <= settings.margin <= 1:
        raise ConfigError(f"langid.margin is {settings.margin}.", "Scores lie between 0 and 1.")


def _distinct(chains: list[Chain]) -> list[Chain]:
    """Return chains under distinct names: the second `x` becomes `x_2`, because each is a step of the ledger."""
    from tamis.filters.chain import Chain

    taken: dict[str, int] = {}
    found = []
    for chain in chains:
        taken[chain.name] = taken.get(chain.name, 0) + 1
        number = taken[chain.name]
        found.append(chain if number == 1 else Chain(chain, name=f"{chain.name}_{number}"))
    return found


def _paths(folder: Path, value: Any) -> list[str]:
    return [str(folder / path) for path in ([value] if isinstance(value, str) else value)]


def recipes_folder() -> Path:
    """Return the folder of the recipes that ship with the package."""
    installed = Path(__file__).parent / "recipes"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "recipes"


def names() -> list[str]:
    """Return the names of the recipes that ship with the package, sorted."""
    return sorted(path.stem for path in recipes_folder().glob("*.toml"))


def load(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe by name or path. `overrides` maps dotted keys (`dedup.threshold`) to values.

    Raises ConfigError where it is unknown, or is not TOML.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        if str(name_or_path) not in names():
            raise errors.unknown("recipe", str(name_or_path), names())
        path = recipes_folder() / f"{name_or_path}.toml"
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"The recipe {path} does not exist.", f"Recipes by name: {', '.join(names())}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The recipe {path} is not valid TOML: {error}.", "See docs/recipes.md.") from error
    for key, value in (overrides or {}).items():
        _set(tables, key, value)
    return Recipe(str(tables.get("name", path.stem)), tables, path.parent)


def _set(tables: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        tables = tables.setdefault(section, {})
        if not isinstance(tables, dict):
            raise ConfigError(f"{key!r} cannot be set.", f"{section!r} is not a table.")
    tables[last] = value
