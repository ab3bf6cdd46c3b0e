"""ARPA files: the text form that every n-gram toolkit reads, to and from our arrays."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from tamis.errors import ModelError
from tamis.perplexity.ngrams import BEGIN, END, UNKNOWN, Floats, NgramModel, Words, hash_table

Grams = dict[tuple[int, ...], tuple[float, float]]


def read(path: Path) -> NgramModel:
    """Return the model of an ARPA file (.gz or not). Raises ModelError, with the line, where the file is not ARPA."""
    words, tables = read_tables(path)
    return hash_table(len(tables), words, tables)


def read_tables(path: Path) -> tuple[tuple[str, ...], list[tuple[Words, Floats]]]:
    """Return the words of an ARPA file, <unk>, <s> and </s> first, and its n-grams by order, as `hash_table` has them.

    An n-gram without the shorter one after its first word gets that one at the probability backing off gives it, as
    KenLM does. Raises ModelError, with the line, where the file is not ARPA.
    """
    number = 0
    try:
        with _open(path) as file:
            lines = _numbered(file)
            words, tables = [UNKNOWN, BEGIN, END], []
            known = {word: index for index, word in enumerate(words)}
            for number, line in lines:  # noqa: B007 (the error names it)
                if line.startswith("\\") and line.endswith("-grams:"):
                    tables.append(_section(lines, int(line[1:-7]), known, words))
                elif line == "\\end\\":
                    break
            else:
                raise ValueError("it ends without \\end\\")
    except (ValueError, UnicodeDecodeError, EOFError, OSError) as error:
        raise ModelError(f"{path} is not ARPA, near line {number}: {error}.", "Give the file lmplz writes.") from error
    if not tables or any(not table for table in tables):
        raise ModelError(f"{path} has no n-grams of some order.", "Give the file lmplz writes.")
    _fill(tables)
    return tuple(words), [_arrays(table, order) for order, table in enumerate(tables, 1)]


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8", newline="\n"))
    return path.open(encoding="utf-8", newline="\n")


def _numbered(file: TextIO) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(file, 1):
        yield number, line.rstrip("\r\n")


def _section(lines: Iterator[tuple[int, str]], order: int, known: dict[str, int], words: list[str]) -> Grams:
    found: Grams = {}
    for number, line in lines:
        if not line.strip(" \t"):
            break
        # Split at ASCII blanks alone: a piece may hold what Unicode takes for a space.
        fields = line.replace("\t", " ").split(" ")
        fields = [each for each in fields if each]
        if len(fields) not in (order + 1, order + 2):
            raise ValueError(f"line {number} has {len(fields)} fields")
        names = fields[1 : order + 1]
        if order == 1 and names[0] not in known:
            known[names[0]] = len(words)
            words.append(names[0])
        pair = _number(fields[0], number), _number(fields[order + 1], number) if len(fields) == order + 2 else 0.0
        found[tuple(known.get(name, 0) for name in names)] = pair
    return found


def _number(field: str, line: int) -> float:
    try:
        found = float(field)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"line {line} has {field!r} for a number")
    return found


def _fill(tables: list[Grams]) -> None:
    """Enter the shorter n-grams that longer ones need and the file left out."""
    for order in range(len(tables), 2, -1):
        for gram in list(tables[order - 1]):
            if gram[1:] not in tables[order - 2]:
                tables[order - 2][gram[1:]] = (_backed_off(tables, gram[1:]), 0.0)


def _backed_off(tables: list[Grams], gram: tuple[int, ...]) -> float:
    if gram in tables[len(gram) - 1]:
        return tables[len(gram) - 1][gram][0]
    if len(gram) == 1:
        return 0.0
    return tables[len(gram) - 2].get(gram[:-1], (0.0, 0.0))[1] + _backed_off(tables, gram[1:])


def _arrays(table: Grams, order: int) -> tuple[Words, Floats]:
    grams = np.array(list(table), np.int32).reshape(-1, order)
    return grams, np.array(list(table.values()), np.float32).reshape(-1, 2)


def write(path: Path, words: Sequence[str], tables: Sequence[tuple[Words, Floats]]) -> None:
    """Write n-grams by order, as `ngrams.hash_table` takes them, as ARPA (.gz or not)."""
    names = np.array(words, object)
    packed = path.suffix == ".gz"
    with gzip.GzipFile(path, "wb", 6, mtime=0) if packed else path.open("wb") as file:
        counts = "".join(f"ngram {order}={len(grams)}\n" for order, (grams, _) in enumerate(tables, 1))
        file.write(f"\\data\\\n{counts}".encode())
        for order, (grams, pairs) in enumerate(tables, 1):
            file.write(f"\n\\{order}-grams:\n".encode())
            rows = _rows(names, grams, pairs, last=order == len(tables))
            while part := "".join(islice(rows, 65536)):
                file.write(part.encode())
        file.write(b"\n\\end\\\n")


def _rows(names: np.ndarray, grams: Words, pairs: Floats, *, last: bool) -> Iterator[str]:
    for start in range(0, len(grams), 65536):
        part = names[grams[start : start + 65536]].tolist()
        numbers = pairs[start : start + 65536].tolist()
        for gram, (probability, weight) in zip(part, numbers, strict=True):
            tail = "" if last else f"\t{weight:.8g}"
            yield f"{probability:.8g}\t{' '.join(gram)}{tail}\n"
