"""PII masking: e-mail addresses, public IP addresses and telephone numbers give way to placeholders, in a rewrite.

As datatrove's `PIIFormatter` does for FineWeb (Penedo et al. 2024, arXiv 2406.17557, §3.7) with e-mail and IP
addresses; telephone numbers are those written with a country's calling code, and those in the national form of the
countries asked for (`data/phones.tsv`).
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import pyarrow as pa
import pyarrow.compute as pc

from tamis import errors
from tamis.filters.chain import Chain
from tamis.filters.families import family
from tamis.filters.rewrites import Rewrite

FINEWEB_PII = "Penedo et al. 2024, arXiv 2406.17557, §3.7"

_EMAIL = (
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9-]{1,63}){0,6}\.[A-Za-z]{2,24}"
)
_IP = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)")
_INTERNATIONAL = r"(?<![\d+])\+[1-9](?:[ .\-/]?\(?\d\)?){7,14}(?!\d)"


@dataclass(frozen=True, slots=True)
class Mask:
    """Replaces what is found in each text; only texts with an @ or a long number are looked at."""

    email: str
    ip: str
    phone: str
    countries: tuple[str, ...]

    def __call__(self, text: pa.Array) -> pa.Array:
        """Return the texts with placeholders; null stays null."""
        some = pc.fill_null(pc.match_substring_regex(text, r"@|\d[\d .()/\-]{5,}"), False)
        rows = pc.indices_nonzero(some)
        if not len(rows):
            return text
        masked = pa.array([self.mask(each) for each in text.take(rows).to_pylist()], pa.large_string())
        return pc.replace_with_mask(text, some, masked)

    def mask(self, text: str) -> str:
        """Return one text with placeholders."""
        if self.email:
            text = _email().sub(self.email, text)
        if self.ip:
            text = _IP.sub(lambda found: self.ip if _is_public(found[0]) else found[0], text)
        if self.phone:
            text = _phones(self.countries).sub(self.phone, text)
        return text


@family(source=FINEWEB_PII)
def pii_masking(
    *,
    email: str = "email@example.com",
    ip: str = "192.0.2.1",
    phone: str = "+00 000 000000",
    countries: Sequence[str] = (),
) -> Chain:
    """Replace e-mail addresses, public IPv4 addresses and telephone numbers; an empty placeholder leaves a kind alone.

    `countries` are ISO 3166 codes whose national way to write a number is known too. Nothing is dropped.
    Raises `UnknownNameError` for a country without a row.
    """
    known = phone_patterns()
    for country in countries:
        if country not in known:
            raise errors.unknown("country of pii_masking", country, known)
    return Chain(Rewrite("pii", ("text",), Mask(email, ip, phone, tuple(countries))))


@cache
def phone_patterns() -> dict[str, str]:
    """Return by ISO 3166 code how a country writes its own numbers, as a regular expression."""
    text = resources.files("tamis.filters").joinpath("data", "phones.tsv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return {row["country"]: row["pattern"] for row in rows}


@cache
def _email() -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9._%+-]){_EMAIL}")


@cache
def _phones(countries: tuple[str, ...]) -> re.Pattern[str]:
    national = [rf"(?<![\d+])(?:{phone_patterns()[country]})(?!\d)" for country in countries]
    return re.compile("|".join([_INTERNATIONAL, *national]))


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
