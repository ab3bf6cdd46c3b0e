"""The one language code set, `iso639-3_Script`, and everything that resolves to it."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain

from tamis import errors

UNDETERMINED = "und"
NOT_LANGUAGE = "zxx"
# What the shipped model calls text that is no language; "zxx" is ISO 639's code for that.
NOT_LANGUAGES = {"zxx_Code": "Program code", "zxx_Tags": "Markup", "zxx_Junk": "Noise", "zxx_Boil": "Boilerplate"}

_FASTTEXT = "__label__"
# Orthographies that detectors tell by characters: the Unicode script is Han in all of them.
HAN_FORMS = ("Hans", "Hant")
_TERRITORY_SCRIPT = {"TW": "Hant", "HK": "Hant", "MO": "Hant", "CN": "Hans", "SG": "Hans"}
# lid.176 was trained on Wikipedia, whose "als" is Alemannic; ISO 639-3 gives that code to Tosk Albanian.
_WIKIPEDIA = {"als": "gsw", "bh": "bho", "no": "nob", "eml": "eml", "nah": "nah", "sh": "hbs"}


@dataclass(frozen=True, slots=True)
class Language:
    """One row of the table: code, scripts (default first), names, other codes and names, and whether it is common."""

    code: str
    scripts: tuple[str, ...]
    name: str
    native: str
    aliases: tuple[str, ...]
    common: bool


def resolve(code: str) -> str:
    """Return the `iso639-3_Script` code that `code` means.

    Accepts that code itself, ISO 639-1, 639-2 and 639-3, BCP 47 (`zh-Hant`, `sr-Latn`, `pt_BR`), labels of lid.176,
    GlotLID and NLLB (with or without `__label__`), and English and native names. A language without a script
    takes its default script. Case, and the choice of `-` or `_`, do not matter.

    Raises:
        UnknownNameError: nothing is called that; the hint names the nearest.
    """
    found = _resolve(code.strip())
    if found is None:
        raise errors.unknown("language", code, _suggestions(code))
    return found


def name(code: str) -> str:
    """Return the English name of a code, with its script where that is not the language's default."""
    code = resolve(code)
    if code in NOT_LANGUAGES:
        return NOT_LANGUAGES[code]
    base, _, script = code.partition("_")
    if base == UNDETERMINED:
        return f"Undetermined ({scripts()[script]})" if script else "Undetermined"
    if base not in languages():
        return next(row["name"] for row in read_table("groups.tsv") if row["group"] == code)
    language = languages()[base]
    plain = language.scripts[0] == script and script not in HAN_FORMS
    return language.name if plain else f"{language.name} ({scripts()[script]})"


def default_script(language: str) -> str:
    """Return the script that a bare ISO 639-3 code stands for."""
    return languages()[language].scripts[0]


def script_of(code: str) -> str:
    """Return the script part of a resolved code, "" for plain `und`."""
    return code.partition("_")[2]


def language_of(code: str) -> str:
    """Return the ISO 639-3 part of a resolved code."""
    return code.partition("_")[0]


def label_languages(label: str) -> tuple[str, ...]:
    """Return the codes a model's label can stand for: one per script where the label leaves the script open.

    Raises:
        UnknownNameError: the label is in no code set known here.
    """
    bare = label.removeprefix(_FASTTEXT)
    if re.search(r"[_-][A-Za-z]{4}$", bare):
        code = resolve(bare)
        # GlotLID and FineWeb-2 say Hani for Chinese; which orthography it is, only the characters can tell.
        if bare.endswith("Hani") and script_of(code) in HAN_FORMS:
            return tuple(f"{language_of(code)}_{form}" for form in HAN_FORMS)
        return (code,)
    code = resolve(_WIKIPEDIA.get(bare, bare))
    base = language_of(code)
    if base not in languages():
        return (code,)
    return tuple(f"{base}_{script}" for script in languages()[base].scripts)


@cache
def languages() -> dict[str, Language]:
    """Return the table by ISO 639-3 code."""
    return {
        row["language"]: Language(
            row["language"],
            tuple(row["scripts"].split()),
            row["name"],
            row["native"],
            tuple(filter(None, row["aliases"].split("|"))),
            row["common"] == "1",
        )
        for row in read_table("languages.tsv")
    }


@cache
def scripts() -> dict[str, str]:
    """Return the English names of ISO 15924 script codes."""
    return {row["script"]: row["name"] for row in read_table("scripts.tsv")}


def read_table(name: str) -> list[dict[str, str]]:
    """Return the rows of a TSV file of this package's data; lines that start with # are comments."""
    text = files("tamis.langid").joinpath("data", name).read_text(encoding="utf-8")
    lines = (line for line in text.split("\n") if line and not line.startswith("#"))
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def _resolve(code: str) -> str | None:
    if code.startswith(_FASTTEXT):
        bare = code.removeprefix(_FASTTEXT)
        return _resolve(_WIKIPEDIA.get(bare, bare))
    folded = _fold(code)
    if folded in _index():
        return _index()[folded]
    parts = re.split(r"[-_]", code)
    base = _index().get(_fold(parts[0])) if len(parts) > 1 and re.fullmatch(r"[A-Za-z]{2,3}", parts[0]) else None
    if base is None:
        return None
    return _with_script(base, parts[1:])


def _with_script(base: str, subtags: list[str]) -> str | None:
    language, _, script = base.partition("_")
    for subtag in subtags:
        if re.fullmatch(r"[A-Za-z]{4}", subtag):
            script = subtag.title()
            if script == "Hani" and language in languages():
                script = next((form for form in languages()[language].scripts if form in HAN_FORMS), "Hani")
            if script not in scripts():
                return None
            return f"{language}_{script}"
    # The territory decides only where the orthography follows it: zh-TW is traditional, pt-BR is just Portuguese.
    if script in HAN_FORMS:
        script = next((_TERRITORY_SCRIPT[tag.upper()] for tag in subtags if tag.upper() in _TERRITORY_SCRIPT), script)
    known = all(re.fullmatch(r"[A-Za-z]{2}|[0-9]{3}|[a-z0-9]{5,8}", tag) for tag in subtags)
    return (f"{language}_{script}" if script else language) if known else None


@cache
def _index() -> dict[str, str]:
    """Every accepted spelling, folded. Codes win over names, and common languages over rare ones."""
    index: dict[str, str] = {UNDETERMINED: UNDETERMINED, **{_fold(code): code for code in NOT_LANGUAGES}}
    table = list(languages().values())
    for row in table:
        index.setdefault(row.code, f"{row.code}_{row.scripts[0]}")
    common_first = sorted(table, key=lambda row: not row.common)
    # Codes before names: "ga" is Irish, though there is a language called Ga.
    for row in common_first:
        for alias in row.aliases:
            index.setdefault(_fold(alias), f"{row.code}_{row.scripts[0]}")
    for row in common_first:
        for spelling in filter(None, (row.name, row.native)):
            index.setdefault(_fold(spelling), f"{row.code}_{row.scripts[0]}")
        for script in row.scripts:
            index.setdefault(_fold(f"{row.code}_{script}"), f"{row.code}_{script}")
            index.setdefault(_fold(f"{row.name} ({scripts()[script]})"), f"{row.code}_{script}")
    for tag in read_table("aliases.tsv"):
        index[_fold(tag["alias"])] = tag["code"]
    for group in read_table("groups.tsv"):
        index.setdefault(_fold(group["group"]), group["group"])
    return index


def _suggestions(code: str) -> Iterable[str]:
    """Names and codes of common languages: a typing error is more likely than a language of a thousand speakers."""
    common = [row for row in languages().values() if any(len(alias) == 2 for alias in row.aliases)]
    if len(code) <= 8 and re.search(r"[_-]", code):
        return [f"{row.code}_{script}" for row in common for script in row.scripts]
    return chain.from_iterable((row.name, row.code, *row.aliases) for row in common)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().replace("-", "_").strip()
