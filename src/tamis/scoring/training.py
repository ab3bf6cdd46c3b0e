"""Training of scorers: labelled documents in; a folder with the model, its card and its calibration by language out."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tamis.errors import ConfigError, OutputError
from tamis.scoring import evaluation, fasttext_train, head_train
from tamis.scoring.embedding import ENCODER
from tamis.scoring.examples import Examples
from tamis.scoring.fasttext_quality import MODEL
from tamis.scoring.found import CARD, checksum
from tamis.scoring.options import ScoringOptions
from tamis.scoring.scorer import load

# What of an encoder's folder is copied: enough to run it, wherever the trained folder goes.
_ENCODER_FILES = ("config.json", "tokenizer.json", "*.safetensors", "*.safetensors.index.json")
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Training:
    """What decides what a trained scorer is like.

    encoder: the folder of a text encoder, for a head on its embeddings; None trains a fastText classifier.
    window, batch_tokens, device, dtype: how the encoder is run. `licence` is that of the documents.
    """

    encoder: Path | None = None
    window: int = 0
    batch_tokens: int = 16_384
    device: str = "cpu"
    dtype: str = "fp32"
    head: head_train.Fit = field(default_factory=head_train.Fit)
    fasttext: fasttext_train.Fit = field(default_factory=fasttext_train.Fit)
    licence: str = "unknown"

    @property
    def kind(self) -> str:
        """The kind of scorer this makes."""
        return "fasttext" if self.encoder is None else "embedding"

    def options(self, model: Path) -> ScoringOptions:
        """Return how the model is run while it is trained and measured."""
        return ScoringOptions(
            str(model), window=self.window, batch_tokens=self.batch_tokens, device=self.device, dtype=self.dtype
        )


def train(examples: Examples, out: Path, training: Training) -> dict[str, Any]:
    """Train a scorer into the folder `out` and return its card, written there as `scorer.json` and `README.md`.

    The same documents give the same bytes. What is held out is measured with the scorer as it will be run: by windows.
    Raises OutputError where `out` holds anything, ConfigError for graded labels without an encoder.
    """
    if out.exists() and any(out.iterdir()):
        raise OutputError(f"{out} is not empty.", "Name a new folder.")
    if training.encoder is None and not examples.binary:
        raise ConfigError("A fastText classifier learns from good and bad alone.", "Give --encoder to learn grades.")
    out.mkdir(parents=True, exist_ok=True)
    made: dict[str, Any] = {"kind": training.kind, "task": "binary" if examples.binary else "graded"}
    made |= _head(examples, out, training) if training.encoder else _fasttext(examples, out, training)
    _write(out, made)
    card = made | _data(examples) | _held_out(examples, out, training) | {"licence": training.licence}
    _write(out, card)
    (out / "README.md").write_text(_readme(card), "utf-8")
    return card


def _write(out: Path, card: dict[str, Any]) -> None:
    (out / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")


def _fasttext(examples: Examples, out: Path, training: Training) -> dict[str, Any]:
    fasttext_train.train(examples, out, training.fasttext)
    return {"training": asdict(training.fasttext), "model": {"file": MODEL, "checksum": checksum(out / MODEL)}}


def _head(examples: Examples, out: Path, training: Training) -> dict[str, Any]:
    assert training.encoder is not None
    from tamis.scoring.embedding import Encoder

    made = Encoder(training.encoder, training.options(training.encoder), training.device)
    vectors = head_train.embed(made, examples.texts, training.options(training.encoder))
    head_train.train(examples, vectors, out, training.head)
    (out / ENCODER).mkdir()
    for form in _ENCODER_FILES:
        for path in sorted(training.encoder.glob(form)):
            shutil.copyfile(path, out / ENCODER / path.name)
    facts = {"name": training.encoder.name, "checksum": checksum(out / ENCODER), "width": vectors.shape[1]}
    return {"training": asdict(training.head), "encoder": facts, "window": training.window}


def _data(examples: Examples) -> dict[str, Any]:
    def counted(here: Any) -> dict[str, Any]:
        labels = Counter(f"{label:g}" for label in examples.labels[here])
        languages = Counter(str(code) for code in examples.languages[here])
        return {"documents": int(here.sum()), "labels": _sorted(labels), "languages": _sorted(languages)}

    return {"learned": counted(~examples.held_out), "held_out": counted(examples.held_out)}


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts)}


def _held_out(examples: Examples, out: Path, training: Training) -> dict[str, Any]:
    places = np.flatnonzero(examples.held_out)
    texts = examples.texts.take(pa.array(places))
    scorer = load(training.options(out), training.device)
    parts = scorer.stream(texts.slice(start, _BATCH) for start in range(0, len(texts), _BATCH))
    scores = np.concatenate([part.scores for part in parts])
    known = ~np.isnan(scores)
    places, scores = places[known], scores[known]
    told = evaluation.calibration(scores, examples.labels[places], examples.languages[places], binary=examples.binary)
    return {"measures": told["all"]["measures"], "calibration": told}


def _readme(card: dict[str, Any]) -> str:
    names = [name for name in card["measures"] if name != "documents"]
    shown = ["|".join(["", " language ", " held out ", *(f" {name} " for name in names), " median ", ""])]
    shown.append("|".join(["", *["---"] * (len(names) + 3), ""]))
    for code, told in card["calibration"].items():
        figures = ["–" if told["measures"][name] is None else f"{told['measures'][name]:.3f}" for name in names]
        cells = [code, f"{told['documents']:,}", *figures, f"{told['percentiles']['50']:.3f}"]
        shown.append("|".join(["", *(f" {cell} " for cell in cells), ""]))
    base = f"`{card['encoder']['name']}` ({card['encoder']['checksum']})" if "encoder" in card else "fastText"
    return "\n".join(
        [
            "# Quality scorer",
            "",
            f"A {card['kind']} scorer on {base}, trained on {card['learned']['documents']:,} documents "
            f"({', '.join(f'{count:,} labelled {label}' for label, count in card['learned']['labels'].items())}), "
            f"measured on {card['held_out']['documents']:,} others. Licence of the documents: {card['licence']}.",
            "",
            *shown,
            "",
            "Scores mean different things in different languages: judge by each language's own percentile, or use the "
            "calibration of a language (`platt` in `scorer.json`: slope and bias on the logit). What was learned is "
            "what tells these documents apart, topic and source included.",
            "",
        ]
    )
