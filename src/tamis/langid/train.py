"""Training: `code<TAB>text` files in, a quantized fastText model and its card out."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tamis import errors
from tamis.langid import augment, codes, evaluate
from tamis.langid import model as models
from tamis.langid.nonsense import nonsense
from tamis.langid.windows import windows

_BATCH = 4096
# fastText takes probabilities at the last place of this many bits for exactly 0 or 1 anyway.
_HASH_BITS = 64


@dataclass(frozen=True, slots=True)
class Training:
    """Everything that decides what a trained model is like.

    minimum: languages with fewer lines than this are left out; `keep` names those kept nevertheless.
    cap, floor: a language's examples are sampled down to `cap`, or repeated, each time augmented anew, up to `floor`.
    repeat: but no example more often than this, or a language of thirty lines would count for as much as any other.
    window: letters per training example, as many as `Identifier` shows the model at a time.
    held_out: share of lines, chosen by hash of their text, that is never trained on; `without`: sources left out whole.
    fit: fastText's own options; more than one thread makes training faster and no longer reproducible.
    """

    minimum: int = 80
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    cap: int = 3000
    floor: int = 1800
    repeat: int = 4
    window: int = 100
    held_out: float = 0.1
    nonsense: int = 2500
    seed: int = 20
    fit: models.Fit = field(default_factory=models.Fit)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of training text, its code, and the file it came from."""

    code: str
    text: str
    source: str


def train(files: Sequence[Path], out: Path, *, training: Training | None = None) -> dict[str, Any]:
    """Train a model from `code<TAB>text` files, write it to `out` (`.ftz`) with its card beside it, return the card.

    Codes are anything `codes.resolve` takes. A line that is not `code<TAB>text` is skipped and counted in the card.

    Raises:
        ConfigError: fewer than two languages have lines enough.
        InputError: a file is missing.
        UnknownNameError: a code is unknown; the message names the file and line.
    """
    training = training or Training()
    lines, skipped = read_lines(files)
    chosen = choose(lines, training)
    learn, test = split(lines, chosen, training)
    with tempfile.TemporaryDirectory(prefix="tamis-langid-") as folder:
        sheet = Path(folder, "train.txt")
        counts = _write_sheet(sheet, learn, training)
        _fit(sheet, out, training)
    card = _card(files, out, training, learn, test, skipped, counts)
    out.with_suffix(".json").write_text(json.dumps(card, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    return card


def read_lines(files: Iterable[Path]) -> tuple[list[Line], int]:
    """Return the distinct lines of the files, codes resolved, and how many lines were not `code<TAB>text`."""
    found: dict[tuple[str, str], Line] = {}
    resolved: dict[str, str] = {}
    skipped = 0
    for path in files:
        source = Path(path.name.removesuffix(".gz")).stem
        for number, line in enumerate(_lines_of(path), 1):
            code, tab, text = line.rstrip("\n").partition("\t")
            if not tab or not text.strip():
                skipped += 1
                continue
            if code not in resolved:
                resolved[code] = _resolved(code, path, number)
            found.setdefault((resolved[code], text), Line(resolved[code], text, source))
    return list(found.values()), skipped


def choose(lines: Iterable[Line], training: Training) -> frozenset[str]:
    """Return the codes with lines enough to be trained on."""
    counts = Counter(line.code for line in lines if line.source not in training.without)
    chosen = {code for code, count in counts.items() if count >= training.minimum or code in training.keep}
    chosen -= set(training.drop)
    if len(chosen) < 2:
        raise errors.ConfigError(
            f"Only {len(chosen)} language(s) have at least {training.minimum} lines.",
            "Give more text, or lower `minimum`.",
        )
    return frozenset(chosen)


def split(lines: Iterable[Line], chosen: frozenset[str], training: Training) -> tuple[list[Line], list[Line]]:
    """Return the lines to learn from and those held out: by hash of the text, and whole sources named `without`."""
    learn: list[Line] = []
    test: list[Line] = []
    for line in lines:
        if line.code in chosen:
            out = line.source in training.without or is_held_out(line.text, training.held_out)
            (test if out else learn).append(line)
    return learn, test


def is_held_out(text: str, share: float) -> bool:
    """Return whether a text is test text: its hash decides, whatever its file or place."""
    folded = " ".join(text.casefold().split()).encode("utf-8", "replace")
    digest = hashlib.blake2b(folded, digest_size=_HASH_BITS // 8).digest()
    return bool(int.from_bytes(digest, "big") < share * 2**_HASH_BITS)


def examples(lines: Sequence[Line], window: int) -> Iterator[tuple[str, str]]:
    """Yield (code, cleaned window) pairs, prepared exactly as `Identifier` prepares what it shows a model."""
    for start in range(0, len(lines), _BATCH):
        batch = lines[start : start + _BATCH]
        seen = windows(pa.array([line.text for line in batch], pa.large_string()), 8, window)
        for row, text in zip(seen.document.tolist(), seen.texts.to_pylist(), strict=True):
            yield batch[row].code, augment.composed(text)


def _write_sheet(path: Path, learn: Sequence[Line], training: Training) -> Counter[str]:
    """Write the shuffled training file: fastText reads in order, and one sorted by language teaches it little."""
    random = np.random.default_rng(training.seed)
    pairs = list(examples(learn, training.window))
    if training.nonsense:
        made = [Line(code, text, "nonsense") for code, text in nonsense(training.seed, training.nonsense)]
        pairs += list(examples(made, training.window))
    by_code: dict[str, list[str]] = {}
    for code, text in pairs:
        by_code.setdefault(code, []).append(text)
    rows = [row for code in sorted(by_code) for row in augment.balanced(code, by_code[code], training, random)]
    random.shuffle(rows)
    path.write_text("".join(f"__label__{code} {text}\n" for code, text in rows), "utf-8")
    return Counter(code for code, _ in rows)


def _fit(sheet: Path, out: Path, training: Training) -> None:
    models.train_supervised(sheet, out, training.fit)


def _card(
    files: Sequence[Path],
    out: Path,
    training: Training,
    learn: Sequence[Line],
    test: Sequence[Line],
    skipped: int,
    counts: Counter[str],
) -> dict[str, Any]:
    model = models.load(out)
    figures = evaluate.lines(model, [(line.code, line.text, line.source) for line in test])
    learned = Counter((line.code, line.source) for line in learn)
    languages = {
        code: {
            "name": codes.name(code),
            "lines": {
                source: learned[code, source]
                for source in sorted({line.source for line in learn})
                if learned[code, source]
            },
            "examples": counts[code],
            "test": figures.of(code),
        }
        for code in sorted(counts)
    }
    return {
        "sha256": model.sha256,
        "bytes": out.stat().st_size,
        "training": {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(training).items()
        },
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "skipped_lines": skipped,
        "macro_f1": figures.macro_f1(),
        "macro_f1_by_source": {source: figures.macro_f1(source) for source in figures.sources()},
        "languages": languages,
    }


def without(training: Training, *sources: str) -> Training:
    """Return the same training with whole sources left out, to measure how well it carries over to new text."""
    return replace(training, without=sources)


def _lines_of(path: Path) -> Iterator[str]:
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", errors="replace", newline="\n") as file:
            yield from file
    except (OSError, EOFError) as error:
        raise errors.InputError(f"Cannot read training text {path}: {error}", "Give code<TAB>text files.") from error


def _resolved(code: str, path: Path, number: int) -> str:
    try:
        return codes.resolve(code)
    except errors.UnknownNameError as error:
        raise errors.UnknownNameError(f"{path}:{number}: {error.message}", error.hint) from error
