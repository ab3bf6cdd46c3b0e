"""`tamis train scorer`: fastText classifiers and heads from labelled documents, the same bytes every time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tamis.cli import app
from tamis.errors import ConfigError, InputError, ModelError, OutputError
from tamis.scoring import ScoringOptions, load
from tamis.scoring.evaluation import auc, calibration, measures, platt
from tamis.scoring.examples import gather, read
from tamis.scoring.fasttext_train import Fit
from tamis.scoring.found import inspect
from tamis.scoring.training import Training, train

GOOD_WORDS = "the river runs into a wide sea where people lived for many years and wrote about it नदी 河流"
BAD_WORDS = "click here buy now cheap free login password home page menu cookie accept खरीदें 點擊"
GOOD, BAD = GOOD_WORDS.split(), BAD_WORDS.split()
SMALL = Training(fasttext=Fit(width=16, buckets=4096))


def documents(count: int, *, grades: bool = False) -> list[tuple[str, float, str | None]]:
    """Texts mixed of good and bad words, labelled by which there are more of, or by the share of good ones."""
    random = Random(7)
    rows: list[tuple[str, float, str | None]] = []
    for number in range(count):
        share = random.random() if grades else float(random.random() < 0.5) * 0.6 + 0.2
        words = [random.choice(GOOD if random.random() < share else BAD) for _ in range(random.randint(20, 80))]
        label = round(5 * share, 2) if grades else float(share > 0.5)
        rows.append((f"{number} " + " ".join(words), label, ("eng_Latn", "hin_Deva", None)[number % 3]))
    return rows


def test_a_fasttext_classifier_tells_good_from_bad_and_says_so(tmp_path: Path) -> None:
    examples = gather(documents(600))
    card = train(examples, tmp_path / "a", SMALL)
    assert card["measures"]["auc"] > 0.97
    assert set(card["calibration"]) == {"all", "eng_Latn", "hin_Deva", "und"}
    assert card["learned"]["documents"] + card["held_out"]["documents"] == 600
    assert card == json.loads((tmp_path / "a" / "scorer.json").read_text())
    assert "| hin_Deva |" in (tmp_path / "a" / "README.md").read_text()
    found = inspect(ScoringOptions(str(tmp_path / "a")))
    assert found.kind == "fasttext" and found.higher_is_better
    train(gather(reversed(documents(600))), tmp_path / "b", SMALL)
    for name in ("model.bin", "scorer.json", "README.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("shape", [(0, 0, 2), (2, 4, 3)])
def test_fasttext_itself_gives_the_same_probabilities(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    fasttext = pytest.importorskip("fasttext")
    minn, maxn, grams = shape
    examples = gather(documents(200))
    fit = replace(SMALL.fasttext, minn=minn, maxn=maxn, word_ngrams=grams)
    train(examples, tmp_path / "m", replace(SMALL, fasttext=fit))
    texts = ["", " ", "river", "नदी river\tsea\x0bx", "click\0here \u00a0 buy", *examples.texts.to_pylist()[:40]]
    (scored,) = load(ScoringOptions(str(tmp_path / "m"))).stream([pa.array(texts, pa.large_string())])
    model = fasttext.load_model(str(tmp_path / "m" / "model.bin"))
    native = getattr(model, "f", model)
    for text, score in zip(texts, scored.scores, strict=True):
        told = {label: chance for chance, label in native.predict(text + "\n", -1, 0.0, "strict")}
        if text.strip():
            assert score == pytest.approx(told["__label__good"], abs=2e-5)
        else:
            assert np.isnan(score)
    assert scored.windows.tolist()[:3] == [0, 0, 1]


@pytest.mark.parametrize("hidden", [0, 8])
def test_a_head_learns_on_an_encoder(zoo: Callable[[str], Path], tmp_path: Path, hidden: int) -> None:
    pytest.importorskip("torch")
    from tamis.scoring import head_train

    training = Training(encoder=zoo("encoder"), head=head_train.Fit(hidden=hidden))
    card = train(gather(documents(150)), tmp_path / "a", training)
    assert card["measures"]["auc"] > 0.65
    assert card["encoder"]["name"] == "encoder"
    again = train(gather(documents(150)), tmp_path / "b", training)
    assert again == card
    assert (tmp_path / "a/head.safetensors").read_bytes() == (tmp_path / "b/head.safetensors").read_bytes()
    (scored,) = load(ScoringOptions(str(tmp_path / "a"))).stream([pa.array(["river sea"], pa.large_string())])
    assert 0 < scored.scores[0] < 1


def test_a_head_learns_grades(zoo: Callable[[str], Path], tmp_path: Path) -> None:
    card = train(gather(documents(300, grades=True)), tmp_path / "a", Training(encoder=zoo("encoder")))
    assert card["task"] == "graded" and card["measures"]["spearman"] > 0.5
    with pytest.raises(ConfigError, match="good and bad"):
        train(gather(documents(150, grades=True)), tmp_path / "b", SMALL)


def test_the_command_trains_from_files(tmp_path: Path) -> None:
    rows = documents(200)
    good = [{"text": text, "language": language} for text, label, language in rows if label]
    bad = [text for text, label, _ in rows if not label]
    pq.write_table(pa.Table.from_pylist(good), tmp_path / "good.parquet")
    (tmp_path / "bad.txt").write_text("\n".join(bad))
    out = tmp_path / "scorer"
    command = ["train", "scorer", "--good", str(tmp_path / "good.parquet"), "--bad", str(tmp_path / "bad.txt")]
    small = ["--out", str(out), "--width", "8", "--buckets", "1000"]
    told = CliRunner().invoke(app, [*command, *small])
    assert told.exit_code == 0 and "auc" in told.output
    assert json.loads((out / "scorer.json").read_text())["measures"]["documents"] > 10
    assert isinstance(CliRunner().invoke(app, [*command, *small]).exception, OutputError | SystemExit)


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot train"):
        gather(("text " + str(n), 1.0, None) for n in range(100))
    (tmp_path / "x.jsonl").write_text('{"text": "a"}\n')
    with pytest.raises(InputError, match="label"):
        list(read(tmp_path / "x.jsonl", None))
    assert list(read(tmp_path / "x.jsonl", 1.0)) == [("a", 1.0, None)]


@pytest.mark.parametrize("cut", [3, 40, 200, 3000, -5])
def test_a_damaged_classifier_is_a_plain_error(tmp_path: Path, cut: int) -> None:
    train(gather(documents(100)), tmp_path / "m", SMALL)
    path = tmp_path / "m" / "model.bin"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ModelError, match="fastText"):
        load(ScoringOptions(str(tmp_path / "m")))


def test_figures_agree_with_their_definitions() -> None:
    random = np.random.default_rng(0)
    labels = (random.random(400) < 0.4).astype(float)
    scores = np.round(np.clip(0.3 + 0.4 * labels + random.normal(0, 0.2, 400), 0, 1), 2)
    good, bad = scores[labels > 0], scores[labels == 0]
    wins = (good[:, None] > bad).mean() + 0.5 * (good[:, None] == bad).mean()
    assert auc(scores, labels > 0) == pytest.approx(wins)
    assert measures(labels, labels, binary=True)["auc"] == 1
    # Odds that are squared too boldly are told back by half the slope.
    truth = random.random(4000)
    drawn = (random.random(4000) < truth).astype(float)
    bold = truth**2 / (truth**2 + (1 - truth) ** 2)
    slope, bias = platt(bold, drawn)
    assert slope == pytest.approx(0.5, abs=0.06) and bias == pytest.approx(0, abs=0.1)
    table = calibration(scores, labels, np.array(["eng_Latn"] * 395 + ["fao_Latn"] * 5), binary=True)
    assert table["fao_Latn"]["platt"] is None and table["all"]["platt"] is not None
