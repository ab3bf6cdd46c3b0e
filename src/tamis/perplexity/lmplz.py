"""KenLM's own estimator, `lmplz`, where it is installed: sentences of word numbers in, n-grams by order out."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tamis.errors import ModelError
from tamis.perplexity import arpa
from tamis.perplexity.estimate import Estimate
from tamis.perplexity.ngrams import BEGIN, END, UNKNOWN, Floats, Words

# What stands for <unk> in the text: lmplz takes no text that has the word itself.
_UNCOVERED = "unk"
_SPECIAL = {UNKNOWN: 0, BEGIN: 1, END: 2, _UNCOVERED: 0}
_LN10 = np.log(10.0)
_LEAST_MEMORY = 64 << 20
_SENTENCES = 1 << 16


def program() -> str | None:
    """Return the path of `lmplz`, or None where none is on PATH."""
    return shutil.which("lmplz")


def estimate(
    lmplz: str, ids: npt.NDArray[np.int32], words: int, order: int, *, prune: tuple[int, ...], memory: int
) -> Estimate:
    """Return what `estimate.estimate` returns, as `lmplz` has it; it says nothing of discounts.

    Raises ModelError where it fails, or writes what is no model of these words.
    """
    with tempfile.TemporaryDirectory(prefix="tamis-lmplz-") as name:
        folder = Path(name)
        _write(folder / "text", ids)
        command = [
            lmplz, "-o", str(order), "-S", f"{max(memory, _LEAST_MEMORY) >> 20}M", "-T", name, "--discount_fallback",
            "--vocab_pad", str(words), "--text", str(folder / "text"), "--arpa", str(folder / "arpa"),
        ]  # fmt: skip
        if prune:
            command += ["--prune", *(str(count) for count in prune)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode or not (folder / "arpa").is_file():
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise ModelError(f"{lmplz} failed: {''.join(said)}.", "Train with --estimator tamis.")
        return Estimate(_tables(folder / "arpa", words), (), ())


def _write(path: Path, ids: npt.NDArray[np.int32]) -> None:
    """Write the sentences, a line each, their words as numbers."""
    starts = np.append(np.flatnonzero(ids == 1), len(ids))
    with path.open("w", encoding="ascii") as file:
        for first in range(0, len(starts) - 1, _SENTENCES):
            bounds = starts[first : first + _SENTENCES + 1]
            flat = ids[bounds[0] : bounds[-1]].tolist()
            cuts = (bounds - bounds[0]).tolist()
            lines = (flat[a + 1 : b - 1] for a, b in pairwise(cuts))
            file.write("".join(" ".join(str(n) if n else _UNCOVERED for n in line) + "\n" for line in lines))


def _tables(path: Path, words: int) -> tuple[tuple[Words, Floats], ...]:
    """Return the n-grams of lmplz's file by our numbers; words it never saw have what it gives the unknown."""
    names, tables = arpa.read_tables(path)
    numbers = np.array([_number(name, words, path) for name in names], np.int32)
    grams, pairs = tables[0]
    named = np.zeros((len(names), 2))
    named[grams[:, 0]] = pairs
    unigrams = np.repeat([[named[0, 0], 0.0]], words, axis=0)
    unigrams[numbers] = named
    if _UNCOVERED in names:
        stand_in = named[names.index(_UNCOVERED)]
        unigrams[0] = np.logaddexp(named[0, 0] * _LN10, stand_in[0] * _LN10) / _LN10, stand_in[1]
    rows = np.arange(words, dtype=np.int32).reshape(-1, 1)
    return ((rows, unigrams.astype(np.float32)), *((numbers[grams], pairs) for grams, pairs in tables[1:]))


def _number(name: str, words: int, path: Path) -> int:
    if name in _SPECIAL:
        return _SPECIAL[name]
    if not (name.isascii() and name.isdigit() and int(name) < words):
        raise ModelError(f"{path.name} has the word {name!r}, which the text has not.", "Train with --estimator tamis.")
    return int(name)
