"""Training the native extractor: token log-odds, boosted trees in two stages, and honest figures for both.

LightGBM (Ke et al. 2017) grows the trees; only this module needs it, and the model it writes is plain arrays. Folds
keep hosts and near-duplicates together. Whatever a stage learns from another is learned out of fold: trees see token
log-odds, and the second stage sees probabilities, that no page had a part in itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tamis.errors import MissingExtraError
from tamis.extract.native.blocks import Ints
from tamis.extract.native.corpus import read_lessons
from tamis.extract.native.cut import DEFAULT_RECALL, keep_blocks
from tamis.extract.native.describe import Floats, TokenWeights, feature_matrix, token_weights
from tamis.extract.native.features import FEATURES
from tamis.extract.native.folds import folds_of, groups_of
from tamis.extract.native.lessons import Example, disguised, learn_page
from tamis.extract.native.model import stage_from_trees, write_model
from tamis.extract.native.smooth import SECOND_FEATURES, smooth

# A token must stand on pages of so many hosts, and its odds are shrunk by so many average pages.
_LEAST_HOSTS = 3
_SHRINK = 2.0
_MAX_LOG_ODDS = 3.0
# The knob's other setting that figures are given for.
_PRECISE = 0.4


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to grow the trees: stages of (trees, leaves), learning rates, and the folds for out-of-fold values."""

    trees: tuple[int, int] = (60, 50)
    leaves: tuple[int, int] = (31, 24)
    rates: tuple[float, float] = (0.12, 0.1)
    inner_folds: int = 3
    disguised: float = 0.4
    disguised_weight: float = 0.6
    most_blocks: int = 400
    sources: tuple[tuple[str, float], ...] = (("aeb", 4.0), ("miniweb", 0.5))
    threads: int = 1
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Fitted:
    """Token log-odds and two LightGBM boosters."""

    tokens: Ints
    odds: Floats
    boosters: tuple[Any, ...]


def learn_tokens(examples: Sequence[Example]) -> tuple[Ints, Floats]:
    """Return token hashes, sorted, and their log-odds against the average page; each page counts once per token."""
    tokens = np.concatenate([example.tokens for example in examples])
    good = np.concatenate([example.good for example in examples])
    hosts = {host: number for number, host in enumerate(dict.fromkeys(e.lesson.host for e in examples))}
    owner = np.repeat([hosts[e.lesson.host] for e in examples], [len(e.tokens) for e in examples])
    kinds, places = np.unique(tokens, return_inverse=True)
    # A host's pages share their tokens, so each host counts for the root of its pages.
    pairs, pair_places, pair_counts = np.unique(places * len(hosts) + owner, return_inverse=True, return_counts=True)
    weight = (1 / np.sqrt(pair_counts))[pair_places]
    inside = np.bincount(places, weight * good, len(kinds))
    outside = np.bincount(places, weight * (1 - good), len(kinds))
    spread = np.bincount(pairs // len(hosts), minlength=len(kinds))
    share = float((weight * good).sum() / weight.sum())
    odds = np.log((inside + _SHRINK * share) / (outside + _SHRINK * (1 - share))) - np.log(share / (1 - share))
    kept = spread >= _LEAST_HOSTS
    return kinds[kept].astype(np.int64), np.clip(odds[kept], -_MAX_LOG_ODDS, _MAX_LOG_ODDS).astype(np.float32)


def weights_of(examples: Sequence[Example]) -> TokenWeights:
    """Return the look-up learned from these pages."""
    return token_weights(*learn_tokens(examples))


def page_weights(example: Example, recipe: Recipe) -> Floats:
    """Return what each block counts in training: its share of the page, so that each page counts the same."""
    weight = example.known * example.described.units
    scale = max(0.5 * float((weight * example.labels).sum()) + 0.5 * float(weight.sum()), 10.0)
    page = dict(recipe.sources).get(example.lesson.source, 1.0) * (
        1.0 if len(example.tokens) else recipe.disguised_weight
    )
    found: Floats = np.minimum(100 * page * weight / scale, 100.0).astype(np.float32)
    return found


def fit(examples: Sequence[Example], groups: npt.NDArray[np.int64], recipe: Recipe, stages: int = 2) -> Fitted:
    """Learn tokens and trees from these pages."""
    tokens, odds = learn_tokens(examples)
    chosen = np.random.default_rng(recipe.seed).random(len(examples)) < recipe.disguised
    groups = np.concatenate([groups, groups[chosen]])
    examples = [*examples, *(disguised(examples[at]) for at in np.flatnonzero(chosen).tolist())]
    folds = folds_of(groups, recipe.inner_folds, recipe.seed)
    matrices: list[Floats] = [np.empty(0, np.float32)] * len(examples)
    for fold in range(recipe.inner_folds):
        learned = weights_of([e for e, of in zip(examples, folds, strict=True) if of != fold])
        for at in np.flatnonzero(folds == fold):
            matrices[at] = feature_matrix(examples[at].described, learned, SECOND_FEATURES)
    boosters = [grow(examples, matrices, FEATURES, recipe, 0)]
    if stages > 1:
        for fold in range(recipe.inner_folds):
            kept = np.flatnonzero(folds != fold)
            booster = grow([examples[at] for at in kept], [matrices[at] for at in kept], FEATURES, recipe, 0)
            for at in np.flatnonzero(folds == fold):
                add_second(examples[at], matrices[at], predict(booster, matrices[at][:, :FEATURES]))
        boosters.append(grow(examples, matrices, FEATURES + SECOND_FEATURES, recipe, 1))
    return Fitted(tokens, odds, tuple(boosters))


def add_second(example: Example, matrix: Floats, chances: Floats) -> None:
    """Set the second stage's columns of a page's features."""
    described = example.described
    page = described.page
    smooth(page.elements, page.blocks, described.shares, described.units, chances, matrix, FEATURES)


def predict(booster: Any, matrix: Floats) -> Floats:
    """Return a booster's probabilities as float32; empty for no rows."""
    if not len(matrix):
        return np.empty(0, np.float32)
    found: Floats = np.asarray(booster.predict(matrix, num_threads=1), np.float32)
    return found


def grow(examples: Sequence[Example], matrices: Sequence[Floats], columns: int, recipe: Recipe, stage: int) -> Any:
    """Grow one stage's trees on the first `columns` features."""
    try:
        import lightgbm
    except ImportError:
        raise MissingExtraError("Training the extractor needs LightGBM.", "pip install lightgbm") from None
    draw = np.random.default_rng(recipe.seed)
    parts = []
    for example, matrix in zip(examples, matrices, strict=True):
        weight = page_weights(example, recipe)
        used = np.flatnonzero(weight > 0)
        if len(used) > recipe.most_blocks:
            weight = weight * np.float32(len(used) / recipe.most_blocks)
            used = np.sort(draw.choice(used, recipe.most_blocks, replace=False))
        parts.append((matrix[used, :columns], example.labels[used], weight[used]))
    rows, labels, weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    options = {
        "objective": "cross_entropy", "num_leaves": recipe.leaves[stage], "learning_rate": recipe.rates[stage],
        "min_sum_hessian_in_leaf": 5.0, "min_data_in_leaf": 20, "lambda_l2": 5.0, "feature_fraction": 0.5,
        "bagging_fraction": 0.8, "bagging_freq": 1, "max_bin": 63, "num_threads": recipe.threads,
        "seed": recipe.seed, "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    data = lightgbm.Dataset(rows, labels, weight=weights, free_raw_data=True)
    return lightgbm.train(options, data, recipe.trees[stage])


def chances_of(example: Example, fitted: Fitted, learned: TokenWeights) -> list[Floats]:
    """Return the probabilities of a page's blocks after each stage."""
    matrix = feature_matrix(example.described, learned, SECOND_FEATURES)
    found = [predict(fitted.boosters[0], matrix[:, :FEATURES])]
    for booster in fitted.boosters[1:]:
        add_second(example, matrix, found[-1])
        found.append(predict(booster, matrix))
    return found


def cut_scores(example: Example, chances: Floats, recall: float = 1.0) -> tuple[float, float, float]:
    """Return (precision, recall, F1) of a page cut by expected F-score."""
    chosen, _ = keep_blocks(chances, example.described.units, recall, example.described.article)
    return example.f1(chosen.astype(bool))


def train(folders: Sequence[Path], out: Path, recipe: Recipe | None = None, *, folds: int = 0) -> dict[str, Any]:
    """Train on the pages of these folders (see `corpus.read_lessons`) and write the model and its card to `out`.

    `out` is an `.npz`; the card stands beside it as `.json` and is returned. With `folds`, the card has the figures of
    a cross-validation too, which takes that many times as long. Raises InputError for a folder without pages,
    MissingExtraError without LightGBM.
    """
    recipe = recipe or Recipe()
    examples = [learn_page(lesson) for folder in folders for lesson in read_lessons(folder)]
    groups = groups_of([example.lesson for example in examples])
    figures = cross_validate(examples, groups, recipe, folds) if folds else {}
    fitted = fit(examples, groups, recipe)
    stages = [stage_from_trees(booster.dump_model()["tree_info"]) for booster in fitted.boosters]
    pages = Counter(example.lesson.source for example in examples)
    card = {
        "sources": dict(pages),
        "recipe": asdict(recipe),
        "features": FEATURES,
        "tokens": len(fitted.tokens),
        "cross_validated": figures,
    }
    write_model(out, fitted.tokens, fitted.odds, stages, card)
    return card


def cross_validate(
    examples: Sequence[Example], groups: npt.NDArray[np.int64], recipe: Recipe, folds: int
) -> dict[str, dict[str, float]]:
    """Return macro figures by source over pages with gold text, each judged by a model that saw nothing like it.

    Precision, recall and F1 at the default cut, and F1 where precision counts more (`f1_precise`: recall 0.4).
    """
    fold = folds_of(groups, folds, recipe.seed)
    rows: dict[str, list[tuple[float, ...]]] = {}
    for number in range(folds):
        kept = np.flatnonzero(fold != number)
        fitted = fit([examples[at] for at in kept.tolist()], groups[kept], recipe)
        learned = token_weights(fitted.tokens, fitted.odds)
        for example in (examples[at] for at in np.flatnonzero(fold == number).tolist()):
            if example.lesson.gold is not None:
                chances = chances_of(example, fitted, learned)[-1]
                found = (*cut_scores(example, chances, DEFAULT_RECALL), cut_scores(example, chances, _PRECISE)[2])
                rows.setdefault(example.lesson.source, []).append(found)
    names = ("precision", "recall", "f1", "f1_precise")
    return {
        source: {"pages": len(found), **dict(zip(names, np.mean(found, 0).round(4).tolist(), strict=True))}
        for source, found in sorted(rows.items())
    }
