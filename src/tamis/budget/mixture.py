"""Mixture planning: how many tokens of each language to train on, how often each is repeated, and what that is worth.

Proportional and temperature sampling (Conneau et al. 2020, arXiv 1911.02116, with exponent α), and UniMax with an
epoch cap (Chung et al. 2023, arXiv 2304.09151, algorithm 1). Floors and ceilings are shares of the plan.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tamis.budget.scaling import advised_epochs, effective_tokens
from tamis.errors import ConfigError

METHODS = ("proportional", "temperature", "unimax")
FORMAT = "tamis-mixture-1"


@dataclass(frozen=True, slots=True)
class Share:
    """One language of a plan: `weight` is its share of the tokens drawn, `epochs` how often its text is passed."""

    language: str
    weight: float
    tokens: float
    unique: float
    epochs: float
    effective: float


@dataclass(frozen=True, slots=True)
class Mixture:
    """A plan for `tokens` tokens; shares are in order of language code and their weights sum to 1."""

    tokens: float
    method: str
    shares: tuple[Share, ...]

    @property
    def effective(self) -> float:
        """What the plan is worth in fresh tokens."""
        return sum(share.effective for share in self.shares)

    @property
    def warnings(self) -> list[str]:
        """One sentence for each language that is repeated more often than advised."""
        most = advised_epochs()
        return [
            f"{share.language} is repeated {share.epochs:.1f} times: {share.tokens:,.0f} tokens from "
            f"{share.unique:,.0f}; past {most:g} epochs repeated text is worth ever less."
            for share in self.shares
            if share.epochs > most * (1 + 1e-9)
        ]

    def to_json(self) -> str:
        """Return the mixture file: what `tamis.budget.sampler` reads."""
        record = {"format": FORMAT, "tokens": self.tokens, "method": self.method}
        shares = [asdict(share) for share in self.shares]
        return json.dumps({**record, "shares": shares}, indent=1, ensure_ascii=False) + "\n"


def read(text: str) -> Mixture:
    """Return the plan a mixture file holds. Raises ConfigError for anything else."""
    try:
        record: dict[str, Any] = json.loads(text)
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}")
        shares = tuple(Share(**each) for each in record["shares"])
        return Mixture(float(record["tokens"]), str(record["method"]), shares)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"This is not a mixture file: {error!r}.", "Write one with `tamis mix`.") from error


def plan(
    unique: Mapping[str, float],
    tokens: float,
    *,
    method: str = "unimax",
    alpha: float = 0.3,
    max_epochs: float = 4.0,
    floors: Mapping[str, float] | None = None,
    ceilings: Mapping[str, float] | None = None,
    fertility: Mapping[str, float] | None = None,
) -> Mixture:
    """Plan `tokens` tokens over languages with `unique` tokens each; languages without text are left out.

    `alpha` is the exponent of `temperature`: 1 is proportional, 0 uniform. `max_epochs` caps `unimax`, which falls
    short of `tokens` where all text repeated that often does not suffice. `fertility` is tokens per word (or per
    byte, or any unit of content): shares are then made even in content, not in tokens, so that a language the
    tokenizer splits finely is not short-changed. `floors` and `ceilings` are least and largest shares of the plan.
    """
    if method not in METHODS:
        raise ConfigError(f"There is no mixture method {method!r}.", f"Known methods: {', '.join(METHODS)}.")
    if tokens <= 0 or max_epochs <= 0 or not 0 <= alpha <= 1:
        raise ConfigError(
            f"tokens {tokens}, max_epochs {max_epochs}, alpha {alpha} make no plan.",
            "Tokens and epochs are above 0, alpha is in [0, 1].",
        )
    sizes = {code: float(amount) for code, amount in sorted(unique.items()) if amount > 0}
    if not sizes:
        raise ConfigError("No language has any text to mix.", "Mix the output of a run that kept something.")
    price = _prices(sizes, fertility or {})
    content = {code: sizes[code] / price[code] for code in sizes}
    if method == "unimax":
        wanted = _unimax(content, price, tokens, max_epochs)
    else:
        power = 1.0 if method == "proportional" else alpha
        wanted = {code: content[code] ** power * price[code] for code in content}
    total = min(tokens, sum(wanted.values())) if method == "unimax" else tokens
    weights = _bounded(wanted, floors or {}, ceilings or {})
    shares = tuple(_share(code, weights[code], total, sizes[code]) for code in sizes)
    return Mixture(total, method, shares)


def _share(code: str, weight: float, total: float, unique: float) -> Share:
    amount = weight * total
    epochs = amount / unique
    return Share(code, weight, amount, unique, epochs, effective_tokens(unique, epochs))


def _prices(sizes: Mapping[str, float], fertility: Mapping[str, float]) -> dict[str, float]:
    """Return tokens per unit of content, relative to the mean; languages without a figure have the mean."""
    known = [fertility[code] for code in sizes if fertility.get(code, 0) > 0]
    mean = sum(known) / len(known) if known else 1.0
    return {code: (fertility[code] / mean if fertility.get(code, 0) > 0 else 1.0) for code in sizes}


def _unimax(
    content: Mapping[str, float], price: Mapping[str, float], tokens: float, max_epochs: float
) -> dict[str, float]:
    """Return tokens by language: as even in content as the cap on epochs allows, smallest languages settled first."""
    found = {}
    left, price_left = tokens, sum(price.values())
    for code in sorted(content, key=lambda code: (content[code], code)):
        even = left / price_left
        found[code] = min(even, content[code] * max_epochs) * price[code]
        left -= found[code]
        price_left -= price[code]
        if price_left <= 0:
            break
    return found


def _bounded(
    wanted: Mapping[str, float], floors: Mapping[str, float], ceilings: Mapping[str, float]
) -> dict[str, float]:
    """Return shares that sum to 1, in proportion to `wanted` except where a bound holds them."""
    _check_bounds(wanted, floors, ceilings)
    fixed: dict[str, float] = {}
    while True:
        free = [code for code in wanted if code not in fixed]
        room, weight = 1 - sum(fixed.values()), sum(wanted[code] for code in free)
        if not free or weight <= 0:
            break
        shares = {code: room * wanted[code] / weight for code in free}
        low = {code: floors[code] for code in free if shares[code] < floors.get(code, 0.0)}
        high = {code: ceilings[code] for code in free if shares[code] > ceilings.get(code, 1.0)}
        # Fixing the side that is further off first is what makes the result keep both kinds of bounds.
        excess = sum(shares[code] - bound for code, bound in high.items())
        lack = sum(bound - shares[code] for code, bound in low.items())
        if not low and not high:
            return {code: fixed.get(code, shares.get(code, 0.0)) for code in wanted}
        fixed.update(high if excess > lack else low)
        if excess == lack:
            fixed.update(high)
    return {code: fixed[code] for code in wanted}


def _check_bounds(wanted: Mapping[str, float], floors: Mapping[str, float], ceilings: Mapping[str, float]) -> None:
    for code in [*floors, *ceilings]:
        if code not in wanted:
            raise ConfigError(f"A bound names {code!r}, of which there is no text.", "Leave it out.")
    for code in floors:
        if floors[code] > ceilings.get(code, 1.0):
            raise ConfigError(f"The floor of {code} is above its ceiling.", "Lower one or raise the other.")
    if sum(floors.values()) > 1 or sum(ceilings.get(code, 1.0) for code in wanted) < 1:
        raise ConfigError("No shares that sum to 1 keep these floors and ceilings.", "Lower floors or raise ceilings.")


def parse_shares(assignments: Sequence[str]) -> dict[str, float]:
    """Return `code=share` assignments as a mapping; shares are in [0, 1] or end in %. Raises ConfigError."""
    found = {}
    for each in assignments:
        code, _, text = each.partition("=")
        try:
            value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise ConfigError(f"{each!r} is no share.", "Write fra_Latn=0.1 or fra_Latn=10%.")
        found[code.strip()] = value
    return found
