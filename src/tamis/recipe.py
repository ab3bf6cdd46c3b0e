"""Recipes: TOML in, settings out; and the two calls everything starts with, `run` and `plan`."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from tamis import errors
from tamis.bounds import PerLanguage
from tamis.errors import ConfigError
from tamis.pipeline.executor import Executor, available_cpus
from tamis.pipeline.executor import load as load_executor
from tamis.pipeline.languages import WAYS
from tamis.pipeline.perplexity import PerplexitySettings
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

if TYPE_CHECKING:
    from tamis.filters.chain import Chain
    from tamis.pipeline.forecast import Forecast
    from tamis.pipeline.plan import Outlook
    from tamis.pipeline.run import Progress, Report

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
SIZE_UNITS = {"kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


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
        from tamis.filters.registry import build, load_module, require_languages

        for key in self.tables:
            if key not in SECTIONS:
                raise errors.unknown("key at the top of the recipe", key, SECTIONS)
        for path in self.tables.get("import", []):
            load_module(self.folder / path)
        scoring = self._perplexity()
        given = perplexity_signals(scoring) if scoring is not None else {}
        chains = [filters] if filters is not None else build(self._filters(), _resolve_language, given)
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
        from tamis.filters.registry import build

        lists = ("domains", "urls", "substrings", "words", "soft_words")
        paths = {key: _paths(self.folder, value) for key, value in table.items() if key in lists}
        chain = build([{"chain": "url_rules"} | table | paths], _resolve_language)[0]
        return Chain(chain, name="url")

    def _langid(self) -> LangidSettings:
        convert = {"keep": _languages, "at_least": _least, "confusable": _policies}
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

    def _perplexity(self) -> PerplexitySettings | None:
        if "perplexity" not in self.tables:
            return None
        if "bundles" not in self._table("perplexity"):
            raise ConfigError("[perplexity] names no bundles.", "Give bundles = a folder, or a list of folders.")
        return self._section("perplexity", PerplexitySettings, {"bundles": self._bundles})

    def _scoring(self) -> ScoringOptions | None:
        if "scoring" not in self.tables:
            return None
        return self._section("scoring", ScoringOptions, scoring_keys(self.folder, _bound))

    def _bundles(self, value: Any) -> dict[str, str]:
        return find_bundles(self.folder / path for path in ([value] if isinstance(value, str) else value))

    def _tokenize(self) -> TokenizeSettings:
        settings = self._section("tokenize", TokenizeSettings, {"shard_tokens": _count})
        if settings.by_bucket and "perplexity" not in self.tables:
            raise ConfigError("tokenize.by_bucket is set, and nothing makes buckets.", "Add [perplexity], or unset it.")
        local = self.folder / settings.tokenizer
        return dataclasses.replace(settings, tokenizer=str(local)) if local.exists() else settings


def parse(name: str, kind: type[T], table: Mapping[str, Any], convert: Mapping[str, Callable[[Any], Any]]) -> T:
    """Return the dataclass `kind` filled from a recipe's table; keys are checked, values by the field's type.

    Raises UnknownNameError for a key it has not, ConfigError for a value of another type.
    """
    hints = get_type_hints(kind)
    names = [each.name for each in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = {}
    for key, value in table.items():
        if key not in names:
            raise errors.unknown(f"key in [{name}]", key, names)
        values[key] = convert[key](value) if key in convert else _typed(f"{name}.{key}", value, hints[key])
    return kind(**values)


# What TOML may give for a field's type; a whole number will do where a fraction is wanted.
_ACCEPTED: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}


def _typed(where: str, value: Any, hint: Any) -> Any:
    accepted = _ACCEPTED.get(hint)
    if accepted and (not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool)):
        raise ConfigError(f"{where} is {value!r}.", f"It must be of type {hint.__name__}.")
    return float(value) if hint is float else value


def size(value: Any) -> int:
    """Return bytes from a number or a text such as "128MB" or "4 GiB". Raises ConfigError."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    text = str(value).strip()
    for unit, factor in SIZE_UNITS.items():
        number = text.removesuffix(unit).strip()
        if text.endswith(unit) and number.replace(".", "", 1).isdigit():
            return int(float(number) * factor)
    raise ConfigError(f"{value!r} is not a size.", f"Give bytes, or a number with one of {', '.join(SIZE_UNITS)}.")


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{value!r} is not a number of tokens.", "Give a whole number above 0.")
    return value


def _bound(where: str, value: Any) -> float | PerLanguage:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Mapping) and all(isinstance(number, (int, float)) for number in value.values()):
        overrides = {_resolve_language(code): float(number) for code, number in value.items() if code != "default"}
        return PerLanguage(float(value.get("default", 0.0)), overrides)
    raise ConfigError(f"{where} is {value!r}.", "Give a number, or a table of numbers by language with a default.")


def _least(value: Any) -> float | PerLanguage | str:
    """A bound, or one of the ways of deriving it from the run's own scores."""
    if not isinstance(value, str):
        return _bound("langid.at_least", value)
    if value not in WAYS:
        raise errors.unknown("way of deriving langid.at_least", value, WAYS)
    return value


def _policies(value: Any) -> str | dict[str, str]:
    from tamis.langid.groups import by_group

    if not isinstance(value, (str, Mapping)):
        raise ConfigError(f"langid.confusable is {value!r}.", "Give a policy, or a table of policies by group.")
    by_group(value)
    return value if isinstance(value, str) else dict(value)


def _languages(value: Any) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(code, str) for code in value):
        raise ConfigError(f"langid.keep is {value!r}.", "Give a list of language codes.")
    return tuple(dict.fromkeys(_resolve_language(code) for code in value))


def _resolve_language(code: str) -> str:
    from tamis.langid.codes import resolve

    return resolve(code)


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


def run(
    manifest: str | Path,
    output: str | Path,
    *,
    recipe: str | Path | Recipe = "default",
    filters: Chain | None = None,
    executor: str | Executor = "local",
    workers: int | None = None,
    address: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    memory: int | None = None,
    clean: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Run a recipe over a manifest into an output folder; running the same again resumes.

    `manifest` is a list of WARC paths (`.gz` or not), a WARC, WET, Parquet or JSONL file, a folder or a glob.
    `filters` replaces the recipe's chains. `executor` is "inline", "local" or "ray", with `workers` processes or CPUs.
    `overrides` are recipe keys such as `{"dedup.threshold": 0.7}`. `memory` in bytes is what
    all processes on this machine may hold together, and bounds the number of workers; None: most of what there is.
    Under Ray it holds for each node.
    `clean` removes `work/` at the end.

    Raises the errors of `tamis.errors`; `Report.complete` is False where some input could not be read.
    """
    from tamis.pipeline.memory import divide
    from tamis.pipeline.run import Run

    settings = _recipe(recipe, overrides).settings(filters)
    share = divide(memory, workers or available_cpus())
    count = workers if executor == "ray" and memory is None else share.workers
    bound = share.worker if memory is not None else None
    chosen = load_executor(executor, count, address, bound) if isinstance(executor, str) else executor
    try:
        made = Run(str(manifest), str(output), settings, memory=share.sort)
        return made.execute(chosen, progress=progress, clean=clean)
    finally:
        if isinstance(executor, str):
            chosen.close()


def plan(
    manifest: str | Path,
    output: str | Path,
    *,
    recipe: str | Path | Recipe = "default",
    filters: Chain | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> list[Outlook]:
    """Return what `run` with the same arguments would do, step by step, without doing any of it."""
    from tamis.pipeline.run import Run

    return Run(str(manifest), str(output), _recipe(recipe, overrides).settings(filters)).outlook()


def prospect(
    manifest: str | Path,
    output: str | Path,
    *,
    recipe: str | Path | Recipe = "default",
    overrides: Mapping[str, Any] | None = None,
    memory: int | None = None,
) -> tuple[list[Outlook], Forecast | None]:
    """Return what `plan` does, and what deduplication needs (None where there is none), from one look at the input."""
    from tamis.pipeline.forecast import forecast as foretell
    from tamis.pipeline.manifest import Manifest
    from tamis.pipeline.memory import divide
    from tamis.pipeline.run import Run

    made = Run(str(manifest), str(output), _recipe(recipe, overrides).settings())
    planned = made.plan()
    if made.settings.dedup is None:
        return made.outlook(planned), None
    share = divide(memory, available_cpus())
    needs = foretell(planned, Manifest(made.storage), made.settings.dedup, share.sort)
    return made.outlook(planned), needs


def _recipe(recipe: str | Path | Recipe, overrides: Mapping[str, Any] | None) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else load(recipe, overrides)
