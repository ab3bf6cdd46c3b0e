"""Thresholds: bounds by language, derived from reference text at chosen quantiles, with guard rails, kept as TOML.

Half of a language's passages set a bound, the other half must pass it. A bound that can never fire, that leaves no
room, that would drop more of the half held out than allowed, or that rests on too few passages is refused, and says so.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import errors
from tamis.bounds import PerLanguage
from tamis.filters.chain import Chain
from tamis.filters.docs import Docs
from tamis.filters.registry import find_signal
from tamis.filters.rewrites import Rewrite
from tamis.filters.rule import Rule
from tamis.text.words import word_spans

# What a passage of shuffled sentences can tell: words and their runs, not lines.
SIGNALS = ("mean_word_letters", "lettered_word_share", *(f"top_{n}_gram_char_share" for n in (2, 3, 4)))
SIDES = ("at_least", "at_most")
SHIPPED = "shipped"

# The shortest document Gopher keeps: shares vary most there, so a bound that serves it serves longer ones.
PASSAGE_WORDS = 50
FEWEST_PASSAGES = 20


@dataclass(frozen=True, slots=True)
class Derived:
    """One bound: what it would drop of the passages held out, in [0, 1], and why it was refused, if it was."""

    language: str
    signal: str
    side: str
    bound: float
    passages: int
    dropped: float
    refused: str = ""


def train(
    rows: Iterable[tuple[str, str, str]],
    *,
    signals: Sequence[str] = SIGNALS,
    quantile: float = 0.01,
    margin: float = 0.1,
    most_dropped: float = 0.02,
) -> list[Derived]:
    """Return a lower and an upper bound of each signal for each language in `(language, source, text)` rows.

    A bound stands at `quantile` (or one less it) of the first half, moved outwards by the share `margin` of its value.
    It is refused where more than `most_dropped` of the second half would miss it. Rows of one language and source are
    joined to passages of 50 words. Raises `UnknownNameError` for an unknown signal.
    """
    measured = [find_signal(name) for name in signals]
    found = []
    for language, passages in passages_of(rows):
        docs = Docs(pa.record_batch({"text": passages, "language": [language] * len(passages)}))
        for signal in measured:
            values = docs.measure(signal).cast(pa.float64()).to_numpy(zero_copy_only=False)
            found += [_derive(language, signal.name, side, values, quantile, margin, most_dropped) for side in SIDES]
    return found


def passages_of(rows: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, pa.Array]]:
    """Yield (language, passages of at least 50 words), languages in order; what is left over at the end is not used."""
    texts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for language, source, text in rows:
        texts[language][source].append(text)
    for language in sorted(texts):
        joined = [passage for _, each in sorted(texts[language].items()) for passage in _join(each)]
        yield language, pa.array(joined, pa.large_string())


def _join(texts: list[str]) -> Iterator[str]:
    ends = word_spans(texts)[0]
    start = 0
    for place in range(len(texts)):
        if ends[place + 1] - ends[start] >= PASSAGE_WORDS:
            yield " ".join(texts[start : place + 1])
            start = place + 1


def _derive(
    language: str,
    signal: str,
    side: str,
    values: npt.NDArray[np.float64],
    quantile: float,
    margin: float,
    most_dropped: float,
) -> Derived:
    seen, held = values[::2], values[1::2]
    if len(values) < FEWEST_PASSAGES:
        return Derived(language, signal, side, np.nan, len(values), np.nan, f"{len(values)} passages are too few")
    low = side == "at_least"
    bound = float(np.quantile(seen, quantile if low else 1 - quantile))
    bound = round(bound * (1 - margin if low else 1 + margin), 3)
    dropped = float(np.mean(held < bound if low else held > bound))
    return Derived(
        language, signal, side, bound, len(values), dropped, _fault(signal, low, bound, dropped, most_dropped)
    )


def _fault(signal: str, low: bool, bound: float, dropped: float, most_dropped: float) -> str:
    if (low and bound <= 0) or (not low and signal.endswith("_share") and bound >= 1):
        return "it can never fire"
    if not low and bound <= 0:
        return "it leaves no room"
    if dropped > most_dropped:
        return f"it would drop {dropped:.1%} of the text held out"
    return ""


def to_toml(derived: Iterable[Derived]) -> str:
    """Return the bounds that were not refused as TOML: a table for each signal and side, a key for each language."""
    tables: dict[tuple[str, str], list[Derived]] = defaultdict(list)
    for each in derived:
        if not each.refused:
            tables[each.signal, each.side].append(each)
    parts = []
    for (signal, side), bounds in sorted(tables.items()):
        lines = [f"{each.language} = {each.bound:g}" for each in sorted(bounds, key=lambda each: each.language)]
        parts.append("\n".join([f"[{signal}.{side}]", *lines]) + "\n")
    return "\n".join(parts)


def load(name_or_path: str | Path) -> dict[str, dict[str, dict[str, float]]]:
    """Return thresholds as signal -> side -> language -> bound, from a file or, for "shipped", from the package.

    Raises ConfigError where there is no such file or it holds something else.
    """
    if str(name_or_path) == SHIPPED:
        text = resources.files("tamis.filters").joinpath("data", "thresholds.toml").read_text("utf-8")
        return tomllib.loads(text)
    try:
        tables = tomllib.loads(Path(name_or_path).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        hint = f'Give "{SHIPPED}" or a file that `tamis train thresholds` wrote.'
        raise errors.ConfigError(f"No thresholds in {name_or_path}: {error}.", hint) from error
    for signal, sides in tables.items():
        if not isinstance(sides, Mapping) or set(sides) - set(SIDES):
            raise errors.ConfigError(f"[{signal}] in {name_or_path} is not bounds.", f"Its keys are {SIDES}.")
    return tables


def fitted(chain: Chain, name_or_path: str | Path) -> Chain:
    """Return the chain with the bounds of its rules replaced, for the languages the thresholds name; other languages
    keep theirs. A side that is open stays open. The origin of a rule says which thresholds it took."""
    found = load(name_or_path)
    steps = [
        step if isinstance(step, Rewrite) else _fit(step, found.get(step.reason, {}), name_or_path)
        for step in chain.steps
    ]
    return Chain(*steps, name=chain.name)


def _fit(rule: Rule, sides: Mapping[str, Mapping[str, float]], name: str | Path) -> Rule:
    for side in SIDES:
        bound = getattr(rule, side)
        if sides.get(side) and (isinstance(bound, PerLanguage) or not np.isnan(bound)):
            usual = bound if isinstance(bound, PerLanguage) else PerLanguage(bound)
            made = PerLanguage(usual.default, {**usual.overrides, **sides[side]})
            origin = f"{rule.origin}; thresholds {Path(name).name}"
            rule = (
                replace(rule, origin=origin, at_least=made)
                if side == "at_least"
                else replace(rule, origin=origin, at_most=made)
            )
    return rule
