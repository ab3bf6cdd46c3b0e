"""Scaling: how many tokens a model wants, what repeated text is worth, and what training costs.

The rules and their sources are in `scaling.toml`. Compute is FLOP, 6·N·D for N parameters on D tokens.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from tamis.errors import ConfigError

PF_DAY = 1e15 * 86_400
_HOUR = 3600.0


class Rule(Protocol):
    """A compute-optimal frontier: N parameters and D tokens for C FLOP."""

    name: str
    source: str

    def tokens_for(self, parameters: float) -> float:
        """Return the tokens on which a model of this size is compute-optimal."""

    def parameters_for(self, tokens: float) -> float:
        """Return the size of the model for which this many tokens are compute-optimal."""

    def optimum(self, flops: float) -> tuple[float, float]:
        """Return (parameters, tokens) that make the best of a compute budget."""


@dataclass(frozen=True, slots=True)
class RatioRule:
    """D = ratio · N at every size."""

    name: str
    source: str
    tokens_per_parameter: float

    def tokens_for(self, parameters: float) -> float:
        """Return ratio · N."""
        return self.tokens_per_parameter * parameters

    def parameters_for(self, tokens: float) -> float:
        """Return D / ratio."""
        return tokens / self.tokens_per_parameter

    def optimum(self, flops: float) -> tuple[float, float]:
        """Return N = √(C / 6 ratio) and D = ratio · N."""
        parameters = math.sqrt(flops / (6 * self.tokens_per_parameter))
        return parameters, self.tokens_for(parameters)


@dataclass(frozen=True, slots=True)
class ParametricRule:
    """L(N, D) = E + A / N^α + B / D^β, minimised on 6·N·D = C."""

    name: str
    source: str
    entropy: float
    parameter_scale: float
    token_scale: float
    parameter_exponent: float
    token_exponent: float

    def loss(self, parameters: float, tokens: float) -> float:
        """Return the loss in nats per token."""
        of_parameters = self.parameter_scale / float(parameters**self.parameter_exponent)
        return self.entropy + of_parameters + self.token_scale / float(tokens**self.token_exponent)

    def tokens_for(self, parameters: float) -> float:
        """Return the tokens at the point of the frontier that has N parameters."""
        return float((parameters / self._balance) ** (1 / self._share)) / parameters

    def parameters_for(self, tokens: float) -> float:
        """Return the parameters at the point of the frontier that has D tokens."""
        return float((tokens * self._balance) ** (1 / (1 - self._share))) / tokens

    def optimum(self, flops: float) -> tuple[float, float]:
        """Return N = G (C/6)^a and D = (C/6)^b / G, equation 4 of the paper."""
        parameters = self._balance * float((flops / 6) ** self._share)
        return parameters, flops / 6 / parameters

    @property
    def _balance(self) -> float:
        ratio = self.parameter_exponent * self.parameter_scale / (self.token_exponent * self.token_scale)
        return float(ratio ** (1 / (self.parameter_exponent + self.token_exponent)))

    @property
    def _share(self) -> float:
        return self.token_exponent / (self.parameter_exponent + self.token_exponent)


@dataclass(frozen=True, slots=True)
class PowerRule:
    """N = n·C^a and D = d·C^b, C in PF-days."""

    name: str
    source: str
    parameters_at_one: float
    parameters_exponent: float
    tokens_at_one: float
    tokens_exponent: float

    def tokens_for(self, parameters: float) -> float:
        """Return the tokens at the point of the frontier that has N parameters."""
        days: float = (parameters / self.parameters_at_one) ** (1 / self.parameters_exponent)
        return float(self.tokens_at_one * days**self.tokens_exponent)

    def parameters_for(self, tokens: float) -> float:
        """Return the parameters at the point of the frontier that has D tokens."""
        days: float = (tokens / self.tokens_at_one) ** (1 / self.tokens_exponent)
        return float(self.parameters_at_one * days**self.parameters_exponent)

    def optimum(self, flops: float) -> tuple[float, float]:
        """Return (parameters, tokens) for C FLOP."""
        days = flops / PF_DAY
        return (
            self.parameters_at_one * days**self.parameters_exponent,
            self.tokens_at_one * days**self.tokens_exponent,
        )


_KINDS: Mapping[str, Any] = {"ratio": RatioRule, "parametric": ParametricRule, "power": PowerRule}


@dataclass(frozen=True, slots=True)
class Rung:
    """A model size and the least tokens it wants."""

    parameters: float
    tokens: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A training run on record: what it trained, and the GPU hours it took."""

    parameters: float
    tokens: float
    gpu: str
    hours: float

    @property
    def utilisation(self) -> float:
        """The share of the machine's peak that the hours imply, in [0, 1]."""
        return flops(self.parameters, self.tokens) / (self.hours * _HOUR * peak(self.gpu))


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads((files("tamis.budget") / "scaling.toml").read_text("utf-8"))


def rule_names() -> list[str]:
    """Return the names of the rules, as `rule` takes them."""
    return list(_tables()["rules"])


def rule(name: str = "chinchilla") -> Rule:
    """Return a rule. Raises ConfigError for an unknown name."""
    found = _tables()["rules"].get(name)
    if found is None:
        raise ConfigError(f"There is no scaling rule {name!r}.", f"Known rules: {', '.join(rule_names())}.")
    fields = {key: value for key, value in found.items() if key != "kind"}
    made: Rule = _KINDS[found["kind"]](name=name, **fields)
    return made


def ladder() -> list[Rung]:
    """Return the default ladder of model sizes, smallest first."""
    return [Rung(each["parameters"], each["tokens"]) for each in _tables()["ladder"]]


def references() -> list[Reference]:
    """Return the training runs on record."""
    return [Reference(**each) for each in _tables()["reference"]]


def gpus() -> list[str]:
    """Return the names of the machines whose peak is known."""
    return list(_tables()["gpus"])


def peak(gpu: str) -> float:
    """Return a GPU's dense BF16 peak in FLOP/s. Raises ConfigError for an unknown one."""
    if gpu not in _tables()["gpus"]:
        raise ConfigError(f"The peak of GPU {gpu!r} is not known.", f"Known: {', '.join(gpus())}.")
    return float(_tables()["gpus"][gpu]["peak"])


def flops(parameters: float, tokens: float) -> float:
    """Return the FLOP of training, 6·N·D."""
    return 6 * parameters * tokens


def gpu_hours(compute: float, gpu: str = "A100", utilisation: float = 0.35) -> float:
    """Return the GPU hours for `compute` FLOP at a share of the peak. Raises ConfigError unless 0 < utilisation ≤ 1."""
    if not 0 < utilisation <= 1:
        raise ConfigError(f"utilisation is {utilisation}.", "It is a share of the peak, in (0, 1]; 0.35 is usual.")
    return compute / (peak(gpu) * utilisation * _HOUR)


def advised_epochs() -> float:
    """Return how often text may be repeated before it is worth clearly less than fresh text."""
    return float(_tables()["repetition"]["advised_epochs"])


def effective_tokens(unique: float, epochs: float) -> float:
    """Return what `epochs` passes over `unique` tokens are worth in fresh tokens; part of one pass is all fresh."""
    decay: float = _tables()["repetition"]["decay_epochs"]
    if epochs <= 1:
        return unique * epochs
    return float(unique + unique * decay * -math.expm1(-(epochs - 1) / decay))


def effective_parameters(rule: Rule, parameters: float, unique: float) -> float:
    """Return what a model is worth on `unique` tokens: parameters past the optimum for them decay in value."""
    decay: float = _tables()["repetition"]["parameter_decay"]
    base = min(rule.parameters_for(unique), parameters)
    return float(base + base * decay * -math.expm1(-(parameters / base - 1) / decay)) if base else 0.0


@dataclass(frozen=True, slots=True)
class Supply:
    """What a language's unique text can feed.

    `once` and `repeated` are the largest compute-optimal models in parameters, on one pass and on the advised
    epochs. `bound` is "data" or "compute" at a FLOP budget, "" where none was given. `rungs` and `repeated_rungs`
    say, for each rung of the ladder, whether one pass or the advised epochs suffice.
    """

    unique: float
    effective: float
    once: float
    repeated: float
    bound: str
    rungs: tuple[bool, ...]
    repeated_rungs: tuple[bool, ...]


def supply(unique: float, rule: Rule, *, budget: float | None = None, rungs: Sequence[Rung] = ()) -> Supply:
    """Return what `unique` tokens can feed; data-bound is a budget whose best run wants more than the advised epochs
    are worth."""
    effective = effective_tokens(unique, advised_epochs())
    bound = ""
    if budget is not None:
        bound = "data" if rule.optimum(budget)[1] > effective else "compute"
    steps = rungs or ladder()
    return Supply(
        unique,
        effective,
        rule.parameters_for(unique) if unique else 0.0,
        rule.parameters_for(effective) if unique else 0.0,
        bound,
        tuple(unique >= rung.tokens for rung in steps),
        tuple(effective >= rung.tokens for rung in steps),
    )
