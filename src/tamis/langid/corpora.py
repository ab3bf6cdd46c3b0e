"""From other people's corpora to `code<TAB>text` files, as a recipe says: which columns, which codes, which scripts."""

from __future__ import annotations

import csv
import gzip
import pydoc_data.topics as topics
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tamis import errors
from tamis.langid import codes, script
from tamis.langid.model import Fit
from tamis.langid.train import Training
from tamis.langid.windows import windows

_BATCH = 4096
# Python's own reference manual (PSF licence): English prose of another kind than sentences for reading aloud.
PYTHON_MANUAL = "python-manual"


@dataclass(frozen=True, slots=True)
class Source:
    """One corpus: a tab-separated file (.gz or not), its columns, and codes that it uses in its own way.

    rename: the corpus's code to the code it means, "" to leave it out.
    """

    name: str
    path: str
    language: str
    text: str
    licence: str
    rename: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a model is made from, and how."""

    sources: tuple[Source, ...]
    training: Training


def read_recipe(path: Path | None = None) -> Recipe:
    """Return a training recipe (TOML), that of the shipped model where `path` is None.

    Raises:
        UnknownNameError: the recipe has a key that means nothing.
    """
    file = path or files("tamis.langid").joinpath("data", "default.toml")
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    _check("recipe key", table, ("source", "training"))
    return Recipe(tuple(_source(row) for row in table.get("source", [])), _training(table.get("training", {})))


def gather(recipe: Recipe, data: Path, out: Path) -> list[Path]:
    """Write one `code<TAB>text` file per source of the recipe into `out`, reading the corpora under `data`.

    The script of each code is the script its text is in; a text in a script its language is not written in is left out.

    Raises:
        InputError: a corpus is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for source in recipe.sources:
        target = out / f"{source.name}.tsv"
        rows = _python_manual() if source.name == PYTHON_MANUAL else _rows(source, data)
        with target.open("w", encoding="utf-8") as file:
            file.writelines(f"{code}\t{text}\n" for code, text in _scripted(rows))
        written.append(target)
    return written


def _source(row: dict[str, Any]) -> Source:
    _check("key of [[source]]", row, [field.name for field in fields(Source)])
    text = {key: str(row.get(key, "")) for key in ("name", "path", "language", "text", "licence")}
    return Source(**text, rename=dict(row.get("rename", {})))


def _training(row: dict[str, Any]) -> Training:
    _check("key of [training]", row, [field.name for field in fields(Training)])
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    _check("key of [training.fit]", row.get("fit", {}), [field.name for field in fields(Fit)])
    return Training(**values | {"fit": Fit(**row.get("fit", {}))})


def _check(kind: str, row: Mapping[str, Any], valid: list[str] | tuple[str, ...]) -> None:
    for key in row:
        if key not in valid:
            raise errors.unknown(kind, key, valid)


def _rows(source: Source, data: Path) -> Iterator[tuple[str, str]]:
    """(code as the corpus has it, renamed; text) of every row."""
    path = data / source.path
    try:
        with _opened(path) as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                code = source.rename.get(row[source.language], row[source.language])
                if code:
                    yield code, _unquoted(row[source.text] or "")
    except OSError as error:
        raise errors.InputError(f"Cannot read the corpus {path}: {error}", "Say where the corpora are.") from error


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="\n")
    return path.open(encoding="utf-8", newline="\n")


def _unquoted(text: str) -> str:
    text = " ".join(text.split())
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


def _python_manual() -> Iterator[tuple[str, str]]:
    for name in sorted(topics.topics):
        for paragraph in topics.topics[name].split("\n\n"):
            # Indented code blocks are not English, and neither are headings.
            if not paragraph.startswith(("      ", "   >>>")) and len(paragraph) > 120:
                yield "eng_Latn", " ".join(paragraph.split())


def _scripted(rows: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Distinct (code with the script of the text, text) pairs."""
    seen: set[tuple[str, str]] = set()
    resolved: dict[str, str] = {}
    batch: list[tuple[str, str]] = []

    def flush() -> Iterator[tuple[str, str]]:
        found = windows(pa.array([text for _, text in batch], pa.large_string()), 1, 10)
        scripts = [script.names()[index] for index in script.dominant(found.totals)[0]]
        for (code, text), written, evidence in zip(batch, scripts, found.evidence, strict=True):
            written = _code(code, written, evidence)
            if written and (written, text) not in seen:
                seen.add((written, text))
                yield written, text
        batch.clear()

    for code, text in rows:
        if code not in resolved:
            resolved[code] = _resolved(code)
        if resolved[code]:
            batch.append((resolved[code], text))
        if len(batch) == _BATCH:
            yield from flush()
    if batch:
        yield from flush()


def _resolved(code: str) -> str:
    try:
        found = codes.resolve(code)
    except errors.UnknownNameError:
        return ""
    return found if codes.language_of(found) in codes.languages() else ""


def _code(code: str, written: str, evidence: npt.NDArray[np.int32]) -> str | None:
    """The code with the script its text is in, None where the language is not written in that script."""
    language, _, own = code.partition("_")
    if written == "Hani" and own in codes.HAN_FORMS:
        if language == "cmn" and evidence[script.SIMPLIFIED] != evidence[script.TRADITIONAL]:
            own = "Hans" if evidence[script.SIMPLIFIED] > evidence[script.TRADITIONAL] else "Hant"
        return f"{language}_{own}"
    if written == "Hani" and own == "Jpan":
        return code
    return f"{language}_{written}" if written in codes.languages()[language].scripts else None
