"""Sequence classifiers and regressors of Hugging Face folders, in the way of FineWeb-Edu (Penedo et al. 2024,
arXiv:2406.17557, section 4). We differ in that every window of a document counts, not its first 512 tokens alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tamis.errors import ConfigError, unknown
from tamis.scoring import heads
from tamis.scoring.body import Batch, Body, pretrained
from tamis.scoring.net import number_type, padding
from tamis.scoring.options import ScoringOptions
from tamis.scoring.texts import Vocabulary


class Classifier:
    """A sequence classifier or regressor: its logit where it has one output, the probability of `label` otherwise."""

    per_byte = False

    def __init__(self, body: Body, vocabulary: Vocabulary, label: str) -> None:
        self.body = body
        self.vocabulary = vocabulary
        self.packs = body.packs
        self.window = body.window
        self._label = _place(body.model.config, label)
        self._logits: Callable[[Any, Batch], Any] | None = None
        if body.family is not None:
            self._logits = heads.classifier(body.model, body.family)

    def __call__(self, given: Batch) -> Any:
        """Return the score of each window, (windows,) fp32."""
        if self._logits is not None:
            logits = self._logits(self.body.hidden(given), given)
        else:
            ids, mask = self.body.grid(given)
            logits = self.body.model(input_ids=ids, attention_mask=mask).logits.float()
        if self._label is None:
            return logits[:, 0]
        several = self.body.model.config.problem_type == "multi_label_classification"
        return (logits.sigmoid() if several else logits.softmax(-1))[:, self._label]


def _place(config: Any, label: str) -> int | None:
    """Return which output is the score, None for the one output of a regressor."""
    names = [str(config.id2label[index]) for index in range(config.num_labels)]
    if label:
        if label not in names:
            raise unknown("label of the classifier", label, names)
        return names.index(label) if len(names) > 1 else None
    if len(names) == 1:
        return None
    if len(names) == 2:
        return 1
    raise ConfigError(f"The classifier has {len(names)} labels: {', '.join(names[:20])}.", "Choose one: label = ….")


def load(folder: Path, options: ScoringOptions, device: str) -> Classifier:
    """Return the classifier of a folder. Raises ModelError, ConfigError or MissingExtraError."""
    dtype = number_type(options.dtype, device)
    model = pretrained(
        folder, "AutoModelForSequenceClassification", dtype=dtype, device=device, pickles=options.pickles
    )
    body = Body(model, device, dtype, compiled=options.compile)
    return Classifier(body, Vocabulary(folder, padding(model.config)), options.label)
